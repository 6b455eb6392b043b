//! Ways to the network, and to sockets of the host.

/// Connects to an address of the host's loopback and prints what it says.
macro_rules! connect {
    ($address:expr, $port:expr) => {
        concat!(
            "perl -MSocket -e 'socket(my $s, PF_INET, SOCK_STREAM, 0) or die; connect($s, sockaddr_in(",
            $port,
            ", inet_aton(\"",
            $address,
            "\"))) or die $!; print <$s>'"
        )
    };
}

/// Connects to a Unix socket and prints what it says.
macro_rules! connect_unix {
    ($path:expr) => {
        concat!(
            "perl -MSocket -e 'socket(my $s, PF_UNIX, SOCK_STREAM, 0) or die; connect($s, pack_sockaddr_un(\"",
            $path,
            "\")) or die $!; print <$s>'"
        )
    };
}

attacks! {
    the_hosts_loopback_over_ipv4: Escapes, connect!("127.0.0.1", "@PORT4@");
    the_hosts_loopback_by_another_of_its_addresses: Escapes, connect!("127.0.0.1", "@PORT4@");
    the_hosts_loopback_by_the_unspecified_address: Escapes, connect!("0.0.0.0", "@PORT4@");
    the_hosts_loopback_over_ipv6: Escapes,
        "perl -MSocket=:all -e 'socket(my $s, PF_INET6, SOCK_STREAM, 0) or die; connect($s, pack_sockaddr_in6(@PORT6@, inet_pton(AF_INET6, \"::1\"))) or die $!; print <$s>'";
    the_hosts_loopback_over_udp: Escapes,
        "perl -MSocket -e 'socket(my $s, PF_INET, SOCK_DGRAM, 0) or die; connect($s, sockaddr_in(@UDP@, inet_aton(\"127.0.0.1\"))) or die $!; send($s, \"x\", 0) or die $!; $SIG{ALRM} = sub { die \"nothing\" }; alarm 3; recv($s, my $b, 99, 0) or die $!; print $b'";
    an_abstract_socket_of_the_host: Escapes, connect_unix!("\\0@ABSTRACT@");
    a_socket_of_the_host_by_its_path: Escapes, connect_unix!("@SOCKET@");
    a_socket_of_the_host_through_another_root: Escapes, connect_unix!("/proc/@VICTIM@/root@SOCKET@");
    a_socket_of_the_host_through_the_first_process: Escapes,
        r"for p in /proc/[0-9]*; do [ -S $p/root@SOCKET@ ] && echo $E; done";
    the_session_bus: Escapes, r#"[ -S "${DBUS_SESSION_BUS_ADDRESS#unix:path=}" ] && echo $E; [ -S "@SOCKET@" ] && echo $E"#;
    the_ssh_agent: Escapes, r#"[ -n "$SSH_AUTH_SOCK" ] && echo $E; ls @FOLDER@ | grep -q host.sock && echo $E"#;
    the_folder_of_the_machines_sockets: Escapes,
        r"[ -e /run/lock ] && echo $E; [ -e /var/run/lock ] && echo $E; [ -d /run/docker ] && echo $E; [ -d /run/systemd ] && echo $E";
    another_network_card_than_loopback: Escapes, r"tail -n +3 /proc/net/dev | grep -v '^ *lo:' | grep -q : && echo $E";
    a_route_to_anywhere: Escapes, r#"[ "$(wc -l < /proc/net/route)" -gt 1 ] && echo $E"#;
    a_route_to_the_metadata_address: Untried,
        "perl -MSocket -e 'socket(my $s, PF_INET, SOCK_STREAM, 0) or die; print $! + 0, \"\\n\"; connect($s, sockaddr_in(80, inet_aton(\"169.254.169.254\"))); print \"$ENV{E} $!\\n\" if $! != 101'";
    a_route_to_a_public_address: Untried,
        "perl -MSocket -e 'socket(my $s, PF_INET, SOCK_STREAM, 0) or die; connect($s, sockaddr_in(80, inet_aton(\"192.0.2.1\"))); print \"$ENV{E} $!\\n\" if $! != 101'";
    a_route_over_ipv6: Untried,
        "perl -MSocket=:all -e 'socket(my $s, PF_INET6, SOCK_STREAM, 0) or die; connect($s, pack_sockaddr_in6(80, inet_pton(AF_INET6, \"2001:db8::1\"))); print \"$ENV{E} $!\\n\" if $! != 101 && $! != 99'";
    a_datagram_to_a_public_address: Untried,
        "perl -MSocket -e 'socket(my $s, PF_INET, SOCK_DGRAM, 0) or die; connect($s, sockaddr_in(53, inet_aton(\"192.0.2.1\"))) and print \"$ENV{E}\\n\"'";
    a_name_server: Escapes, r"grep '^nameserver' /etc/resolv.conf | grep -v -q ' 127.0.0.1$' && echo $E";
    the_hosts_network_namespace: Escapes,
        r#"for p in /proc/[0-9]*; do [ "$(readlink $p/ns/net)" != "$(readlink /proc/self/ns/net)" ] && continue; [ "$p" = "/proc/@VICTIM@" ] && echo $E; done"#;
    a_raw_socket: Escapes, "sc 41 2 3 1";
    a_packet_socket: Escapes, "sc 41 17 3 768";
    a_virtual_machine_socket: Escapes, "sc 41 40 1 0";
    a_kernel_crypto_socket: Escapes, "sc 41 38 5 0";
    a_key_management_socket: Escapes, "sc 41 15 3 2";
    a_bluetooth_socket: Escapes, "sc 41 31 3 1";
    an_express_data_path_socket: Escapes, "sc 41 44 3 0";
    an_audit_socket: Escapes, "sc 41 16 3 9";
    the_hosts_firewall: Escapes, "sc 41 16 3 12";
    a_configuration_of_the_network: Untried,
        r"for f in /proc/sys/net/ipv4/ip_forward /proc/sys/net/core/somaxconn; do { echo 1 > $f; } 2>/dev/null && echo $E; done";
}
