//! The bundled database: one PostgreSQL server on a volume, with TLS and a generated password.

use super::{metadata, nats, pod};
use crate::ca;
use crate::install::InstallOptions;
use crate::install::names::{self, DATABASE, DATABASE_PASSWORD_KEY, POSTGRES, POSTGRES_PORT, POSTGRES_TLS};
use crate::install::options::Image;
use k8s_openapi::api::apps::v1::{StatefulSet, StatefulSetSpec};
use k8s_openapi::api::core::v1::{Container, PodSpec, Probe, TCPSocketAction};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

/// The user `postgres` of Debian's images of PostgreSQL: `initdb` refuses users that the image does not know.
const USER: i64 = 999;
/// The database's user, who owns it.
pub(in crate::install) const OWNER: &str = "sympozium";
/// The database. `initdb` makes it.
pub(in crate::install) const NAME: &str = "postgres";
const PASSWORD_FOLDER: &str = "/etc/sympozium/database";
const DATA: &str = "/data/postgres";

/// Makes the database when the volume is empty, and starts the server. A half made one is made again: `initdb` writes
/// elsewhere, and the folder gets its name when it is complete. The server is told to end by INT: at TERM it would wait
/// until its last client has gone. A signal interrupts the first `wait`; the second one waits for the end.
const SCRIPT: &str = r#"set -eu
if [ ! -s "$DATA/PG_VERSION" ]; then
  rm -rf "$DATA.new"
  initdb --pgdata="$DATA.new" --username="$OWNER" --pwfile="$PASSWORD_FILE" --auth=scram-sha-256 --encoding=UTF8 --no-locale
  printf '%s\n' 'hostssl all all all scram-sha-256' > "$DATA.new/pg_hba.conf"
  mv "$DATA.new" "$DATA"
fi
trap 'kill -INT "$server"' TERM
postgres -D "$DATA" -c listen_addresses='*' -c unix_socket_directories=/tmp -c ssl=on -c ssl_cert_file="$TLS/tls.crt" -c ssl_key_file="$TLS/tls.key" &
server=$!
wait "$server" || wait "$server"
"#;

/// The server.
pub(super) fn stateful_set(options: &InstallOptions) -> StatefulSet {
    let size = &options.storage.database_size;
    StatefulSet {
        metadata: metadata(options, POSTGRES, POSTGRES),
        spec: Some(StatefulSetSpec {
            replicas: Some(1),
            service_name: Some(POSTGRES.to_owned()),
            selector: LabelSelector {
                match_labels: Some(names::selector(POSTGRES)),
                match_expressions: None,
            },
            template: pod::template(options, POSTGRES, USER, pod_spec(options)),
            volume_claim_templates: Some(vec![nats::claim(options, POSTGRES, size)]),
            ..StatefulSetSpec::default()
        }),
        status: None,
    }
}

fn pod_spec(options: &InstallOptions) -> PodSpec {
    PodSpec {
        automount_service_account_token: Some(false),
        containers: vec![container(options)],
        volumes: Some(vec![
            pod::secret("password", DATABASE, &[DATABASE_PASSWORD_KEY]),
            pod::secret("tls", POSTGRES_TLS, &[ca::TLS_CERTIFICATE, ca::TLS_KEY]),
            pod::empty_dir("tmp", "64Mi"),
        ]),
        termination_grace_period_seconds: Some(60),
        ..PodSpec::default()
    }
}

fn container(options: &InstallOptions) -> Container {
    let mut container = pod::container(options, "postgres", Image::Postgres);
    container.command = Some(["sh", "-c", SCRIPT].map(str::to_owned).to_vec());
    container.env = Some(vec![
        pod::env("DATA", DATA),
        pod::env("OWNER", OWNER),
        pod::env(
            "PASSWORD_FILE",
            format!("{PASSWORD_FOLDER}/{DATABASE_PASSWORD_KEY}"),
        ),
        pod::env("TLS", pod::TLS_FOLDER),
    ]);
    container.ports = Some(vec![pod::port("postgres", POSTGRES_PORT)]);
    container.readiness_probe = Some(tcp());
    container.liveness_probe = Some(Probe {
        failure_threshold: Some(6),
        ..tcp()
    });
    container.startup_probe = Some(Probe {
        failure_threshold: Some(120),
        ..tcp()
    });
    container.resources = Some(pod::resources("100m", "256Mi", "1Gi"));
    container.volume_mounts = Some(vec![
        pod::mount("data", "/data", false),
        pod::mount("password", PASSWORD_FOLDER, true),
        pod::mount("tls", pod::TLS_FOLDER, true),
        pod::mount("tmp", "/tmp", false),
    ]);
    container
}

/// It listens once it takes connections.
fn tcp() -> Probe {
    Probe {
        tcp_socket: Some(TCPSocketAction {
            host: None,
            port: IntOrString::Int(i32::from(POSTGRES_PORT)),
        }),
        period_seconds: Some(5),
        timeout_seconds: Some(3),
        ..Probe::default()
    }
}
