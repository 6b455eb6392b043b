//! What limits can be asked for, and what is said of them.

use super::*;

fn set(name: &str, amount: &str) -> Result<LocalLimits, LimitError> {
    let mut limits = LocalLimits::default();
    limits.set(name, amount).map(|()| limits)
}

#[test]
fn each_limit_is_set_by_its_name_and_nothing_else_changes() {
    let base = LocalLimits::default();
    for (name, amount, wanted) in [
        (
            "memory",
            "512Mi",
            LocalLimits {
                memory: 512 * MIB,
                ..base
            },
        ),
        (
            "processes",
            "64",
            LocalLimits {
                processes: 64,
                ..base
            },
        ),
        (
            "workspace",
            "2G",
            LocalLimits {
                workspace: 2_000_000_000,
                ..base
            },
        ),
        (
            "tmp",
            "1.5Gi",
            LocalLimits {
                tmp: 1536 * MIB,
                ..base
            },
        ),
        (
            "file-size",
            "1048576",
            LocalLimits {
                file_size: MIB,
                ..base
            },
        ),
        (
            "open-files",
            "1048576",
            LocalLimits {
                open_files: 1_048_576,
                ..base
            },
        ),
    ] {
        assert_eq!(set(name, amount), Ok(wanted), "{name}={amount}");
    }
}

#[test]
fn quantities_are_read_as_kubernetes_reads_them() {
    for (text, wanted) in [
        ("0", Some(0)),
        ("1Ki", Some(1024)),
        ("1k", Some(1000)),
        ("3M", Some(3_000_000)),
        ("1T", Some(1_000_000_000_000)),
        ("0.5Ki", Some(512)),
        ("0.0001k", Some(1)),
        ("18446744073709551615", Some(u64::MAX)),
        ("18446744073709551616", None),
        ("18446744073709551615Ti", None),
        ("", None),
        ("Mi", None),
        (".5Mi", None),
        ("1.Mi", None),
        ("1.2.3Mi", None),
        ("+1Mi", None),
        ("-1", None),
        ("1 Mi", None),
        ("1mi", None),
        ("1K", None),
        ("1MB", None),
        ("1e3", None),
        ("1.0000000001Gi", None),
        ("١Mi", None),
    ] {
        assert_eq!(bytes(text), wanted, "{text}");
    }
}

#[test]
fn bounds_are_taken_and_what_is_beyond_them_is_refused_with_both() {
    for limit in &LIMITS {
        for (value, fits) in [
            (limit.least - 1, false),
            (limit.least, true),
            (limit.most, true),
            (limit.most + 1, false),
        ] {
            let result = set(limit.name, &value.to_string());
            assert_eq!(result.is_ok(), fits, "{}={value}", limit.name);
            let default = *(limit.field)(&mut LocalLimits::default());
            assert!((limit.least..=limit.most).contains(&default), "{}", limit.name);
        }
    }
    let error = set("memory", "1Mi").unwrap_err().to_string();
    assert_eq!(
        error,
        "the limit `memory` can't be 1Mi: it is at least 64 MiB and at most 4 TiB"
    );
}

#[test]
fn an_unknown_name_is_answered_with_the_known_ones() {
    let error = set("cpu", "1").unwrap_err().to_string();
    assert_eq!(
        error,
        "there is no limit `cpu`; there are memory, processes, workspace, tmp, file-size, open-files"
    );
}

#[test]
fn an_unreadable_amount_is_answered_with_examples_and_changes_nothing() {
    let mut limits = LocalLimits::default();
    let error = limits.set("processes", "512Mi").unwrap_err().to_string();
    assert_eq!(
        error,
        "`512Mi` is no amount for the limit `processes`: give a whole number, such as `512`"
    );
    assert_eq!(limits, LocalLimits::default());
    let error = limits.set("tmp", &"9".repeat(1000)).unwrap_err().to_string();
    assert!(error.len() < 200, "{error}");
}

#[test]
fn the_sentence_says_what_holds_and_what_does_not() {
    let limits = LocalLimits::default();
    let counts = |memory, processes| Some(Counts { memory, processes });
    let given = LocalWorkspace::Given {
        dir: "/home/me".into(),
        read_only: false,
    };
    for (counted, workspace, wanted) in [
        (
            counts(true, true),
            &LocalWorkspace::Private,
            "at most 4 GiB of memory and 512 processes (cgroup), 1 GiB in /workspace, 256 MiB in each /tmp",
        ),
        (
            None,
            &LocalWorkspace::Private,
            "at most 4 GiB of memory per process and 512 processes per executor, 1 GiB in /workspace, 256 MiB in each \
             /tmp; no cgroup bounds the whole",
        ),
        (
            counts(true, false),
            &LocalWorkspace::Private,
            "at most 4 GiB of memory (cgroup) and 512 processes per executor, 1 GiB in /workspace, 256 MiB in each /tmp; \
             no cgroup bounds all processes together",
        ),
        (
            counts(false, true),
            &given,
            "at most 4 GiB of memory per process and 512 processes (cgroup), files of at most 1 GiB but no bound on the \
             whole in /workspace, 256 MiB in each /tmp; no cgroup bounds the memory of all processes together",
        ),
    ] {
        assert_eq!(sentence(&limits, counted, workspace), wanted);
    }
}

#[test]
fn sizes_are_short_and_never_said_to_be_less_than_they_are() {
    for (bytes, wanted) in [
        (0, "0 bytes"),
        (1023, "1023 bytes"),
        (1024, "1 KiB"),
        (1536 * MIB, "1.5 GiB"),
        (GIB + 1, "1.1 GiB"),
        (500_000_000, "476.9 MiB"),
        (4 * TIB, "4 TiB"),
    ] {
        assert_eq!(size(bytes), wanted);
    }
}
