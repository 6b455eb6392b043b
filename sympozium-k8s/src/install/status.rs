//! What runs, and what is wrong. Pure.

use jiff::Timestamp;
use std::fmt;

/// A Deployment or StatefulSet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Workload {
    /// Its name.
    pub name: String,
    /// It is there at all.
    pub there: bool,
    /// The image of its first container.
    pub image: String,
    /// How many pods there should be.
    pub wanted: i64,
    /// How many are ready.
    pub ready: i64,
    /// How many are as the object says now.
    pub updated: i64,
    /// Its controller has seen the object as it is now.
    pub observed: bool,
}

impl Workload {
    /// Everything is as it should be.
    pub fn is_complete(&self) -> bool {
        self.there && self.observed && self.ready >= self.wanted && self.updated >= self.wanted
    }
}

/// What was seen of an installation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// The version that was installed.
    pub version: String,
    /// Its Deployments and StatefulSets.
    pub workloads: Vec<Workload>,
    /// Other objects that were installed and are not there, with kind and name.
    pub missing: Vec<String>,
    /// Secrets with certificates, and until when these are valid; `None` = there is none that can be read.
    pub certificates: Vec<(String, Option<Timestamp>)>,
}

/// One line about one thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Nothing is wrong with it.
    pub fine: bool,
    /// What it is.
    pub subject: String,
    /// How it is and, if something is wrong, what to do.
    pub text: String,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = if self.fine { "ok" } else { "WRONG" };
        write!(f, "{mark:<6} {:<24} {}", self.subject, self.text)
    }
}

/// Days before its end at which a certificate is told of.
const NOTICE_DAYS: i64 = 30;

/// What to say about it: the version first, then one line for each thing.
pub fn judge(seen: &Seen, own_version: &str, now: Timestamp) -> Vec<Verdict> {
    let mut all = vec![version(&seen.version, own_version)];
    all.extend(seen.workloads.iter().map(workload));
    all.extend(
        seen.certificates
            .iter()
            .map(|(name, ends)| certificate(name, *ends, now)),
    );
    all.extend(seen.missing.iter().map(|name| Verdict {
        fine: false,
        subject: name.clone(),
        text: "is missing: run `sympozium install` again".to_owned(),
    }));
    all
}

fn version(installed: &str, own: &str) -> Verdict {
    let text = if installed == own {
        format!("{installed}, that of this program")
    } else {
        format!("{installed}; this program is {own}: `sympozium install` makes them equal")
    };
    Verdict {
        fine: true,
        subject: "version".to_owned(),
        text,
    }
}

fn workload(workload: &Workload) -> Verdict {
    let Workload {
        name,
        ready,
        wanted,
        image,
        ..
    } = workload;
    let text = if !workload.there {
        "is missing: run `sympozium install` again".to_owned()
    } else if workload.is_complete() {
        format!("{ready} of {wanted} ready, {image}")
    } else if workload.ready < workload.wanted {
        format!(
            "{ready} of {wanted} ready, {image}: `kubectl describe pods -l app.kubernetes.io/name={name}` says why"
        )
    } else {
        format!("{} of {wanted} are of this version, {image}", workload.updated)
    };
    Verdict {
        fine: workload.is_complete(),
        subject: name.clone(),
        text,
    }
}

fn certificate(name: &str, ends: Option<Timestamp>, now: Timestamp) -> Verdict {
    let days = ends.map(|ends| ends.duration_since(now).as_hours() / 24);
    let text = match days {
        None => "has no certificate: run `sympozium install` again".to_owned(),
        Some(days) if days < NOTICE_DAYS => {
            format!("valid for {days} more days: run `sympozium install` again, which renews it")
        }
        Some(days) => format!("valid for {days} more days"),
    };
    Verdict {
        fine: days.is_some_and(|days| days >= NOTICE_DAYS),
        subject: name.to_owned(),
        text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workload(name: &str, wanted: i64, ready: i64, updated: i64) -> Workload {
        Workload {
            name: name.into(),
            there: true,
            image: format!("r/{name}:1"),
            wanted,
            ready,
            updated,
            observed: true,
        }
    }

    #[test]
    fn each_thing_has_one_line_and_what_is_wrong_says_what_to_do() {
        let now = Timestamp::UNIX_EPOCH;
        let in_days = |days: i64| Some(Timestamp::from_second(days * 86_400 + 60).unwrap());
        let seen = Seen {
            version: "0.9.0".into(),
            workloads: vec![
                workload("fine", 2, 2, 2),
                workload("starting", 2, 1, 2),
                workload("old", 2, 2, 1),
                Workload {
                    name: "gone".into(),
                    ..Workload::default()
                },
            ],
            missing: vec!["Service a".into()],
            certificates: vec![
                ("c1".into(), in_days(100)),
                ("c2".into(), in_days(29)),
                ("c3".into(), None),
            ],
        };
        let lines: Vec<_> = judge(&seen, "1.0.0", now)
            .iter()
            .map(ToString::to_string)
            .collect();
        insta::assert_snapshot!(lines.join("\n"));
    }

    #[test]
    fn a_rollout_is_complete_when_its_controller_has_seen_it_and_all_pods_are_new_and_ready() {
        let complete = workload("a", 2, 2, 2);
        assert!(complete.is_complete());
        for incomplete in [
            Workload {
                observed: false,
                ..complete.clone()
            },
            Workload {
                there: false,
                ..complete.clone()
            },
            Workload {
                ready: 1,
                ..complete.clone()
            },
            Workload {
                updated: 1,
                ..complete
            },
        ] {
            assert!(!incomplete.is_complete(), "{incomplete:?}");
        }
    }
}
