//! Which ended runs go: the oldest beyond a limit. Pure.

use jiff::Timestamp;

/// An ended run.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ended {
    /// When it was created.
    pub created: Timestamp,
    /// Its name.
    pub name: String,
    /// Its UID, so that no other run of that name is hit.
    pub uid: String,
}

/// The runs that go when the newest `keep` stay, the oldest first.
pub fn beyond(mut ended: Vec<Ended>, keep: usize) -> Vec<Ended> {
    ended.sort();
    let gone = ended.len().saturating_sub(keep);
    ended.truncate(gone);
    ended
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(created: &[i64], keep: usize) -> Vec<String> {
        let runs = created.iter().map(|second| Ended {
            created: Timestamp::from_second(*second).unwrap(),
            name: format!("r{second}"),
            uid: String::new(),
        });
        beyond(runs.collect(), keep)
            .into_iter()
            .map(|run| run.name)
            .collect()
    }

    #[test]
    fn the_oldest_go() {
        assert_eq!(names(&[3, 1, 2], 2), ["r1"]);
        assert_eq!(names(&[3, 1, 2], 0), ["r1", "r2", "r3"]);
        assert!(names(&[1], 5).is_empty());
    }
}
