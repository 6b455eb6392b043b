//! The runs that go on, by name and by pod, and the pods of those that went. Pure: told by a watch.

use crate::crd::v1alpha1::AgentRun;
use crate::identity::standing::RunFacts;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use sympozium_core::ids::RunUid;
use uuid::Uuid;

/// How many pods of ended runs are remembered. Of one that is forgotten the API server is asked.
const REMEMBERED: usize = 50_000;

/// Namespace and name.
pub(crate) type Key = (String, String);

/// What is known of a pod's run.
#[derive(Debug, Clone)]
pub(crate) enum Seen {
    /// It goes on.
    Run(Arc<AgentRun>),
    /// It has ended or was deleted.
    Gone(Key),
    /// There is none that names this pod.
    Unknown,
}

/// See the [module](self).
#[derive(Debug, Default)]
pub(crate) struct Index {
    runs: HashMap<Key, Arc<AgentRun>>,
    by_pod: HashMap<Uuid, Key>,
    gone: HashMap<Uuid, Key>,
}

impl Index {
    /// A run was made or changed. Gives the runs that have ended by that.
    pub(crate) fn apply(&mut self, run: AgentRun) -> Vec<RunUid> {
        let Some(key) = key_of(&run) else {
            return Vec::new();
        };
        let mut ended = Vec::new();
        let (uid, pod) = (uid_of(&run), pod_of(&run));
        let before = self.runs.get(&key).cloned();
        // A name that is used again is another run.
        if let Some(before) = before
            .filter(|before| uid_of(before) != uid || pod_of(before).is_some_and(|own| Some(own) != pod))
        {
            ended.extend(self.forget(&key, &before).filter(|other| Some(*other) != uid));
        }
        if is_terminal(&run) {
            self.remember(pod, &key);
            self.runs.remove(&key);
            ended.extend(uid);
            return ended;
        }
        if is_over(&run) {
            ended.extend(uid);
        }
        if let Some(pod) = pod {
            self.by_pod.insert(pod, key.clone());
        }
        self.runs.insert(key, Arc::new(run));
        ended
    }

    /// A run is gone from the watch: it has ended, or was deleted.
    pub(crate) fn remove(&mut self, run: &AgentRun) -> Option<RunUid> {
        let key = key_of(run)?;
        // What the watch shows of it may be older than what was seen.
        let known = self.runs.get(&key).cloned();
        let same = known.filter(|known| uid_of(known) == uid_of(run));
        self.remember(pod_of(run), &key);
        match same {
            Some(known) => self.forget(&key, &known),
            None => uid_of(run),
        }
    }

    /// The watch began anew: these are all. Gives the runs that are not among them.
    pub(crate) fn replace(&mut self, all: Vec<AgentRun>) -> Vec<RunUid> {
        let there: HashSet<Key> = all.iter().filter_map(key_of).collect();
        let missing: Vec<_> = self
            .runs
            .iter()
            .filter(|(key, _)| !there.contains(*key))
            .map(|(key, run)| (key.clone(), Arc::clone(run)))
            .collect();
        let mut ended: Vec<_> = missing
            .iter()
            .filter_map(|(key, run)| self.forget(key, run))
            .collect();
        ended.extend(all.into_iter().flat_map(|run| self.apply(run)));
        ended
    }

    fn forget(&mut self, key: &Key, run: &AgentRun) -> Option<RunUid> {
        self.remember(pod_of(run), key);
        self.runs.remove(key);
        uid_of(run)
    }

    fn remember(&mut self, pod: Option<Uuid>, key: &Key) {
        let Some(pod) = pod else { return };
        self.by_pod.remove(&pod);
        if self.gone.len() >= REMEMBERED {
            self.gone.clear();
        }
        self.gone.insert(pod, key.clone());
    }

    /// The run of a pod.
    pub(crate) fn of_pod(&self, pod: Uuid) -> Seen {
        if let Some(run) = self.by_pod.get(&pod).and_then(|key| self.runs.get(key)) {
            return Seen::Run(Arc::clone(run));
        }
        self.gone
            .get(&pod)
            .map_or(Seen::Unknown, |key| Seen::Gone(key.clone()))
    }

    /// The run of that name.
    pub(crate) fn named(&self, key: &Key) -> Option<Arc<AgentRun>> {
        self.runs.get(key).cloned()
    }

    /// How many runs go on.
    pub(crate) fn len(&self) -> usize {
        self.runs.len()
    }
}

/// The run that a pod's name is made from: Jobs append a dash and five characters.
pub(crate) fn run_of_pod(name: &str) -> Option<&str> {
    name.rsplit_once('-').map(|(run, _)| run)
}

/// What is known of a run, for who asks in its name.
pub(crate) fn facts(run: &AgentRun) -> RunFacts {
    let status = run.status.as_ref();
    let completed = status.and_then(|status| status.completed_at.as_ref());
    RunFacts {
        pod: pod_of(run),
        over: is_over(run),
        completed: completed.map(|time| time.0),
    }
}

pub(crate) fn uid_of(run: &AgentRun) -> Option<RunUid> {
    run.metadata.uid.as_deref()?.parse().ok()
}

fn key_of(run: &AgentRun) -> Option<Key> {
    Some((run.metadata.namespace.clone()?, run.metadata.name.clone()?))
}

fn pod_of(run: &AgentRun) -> Option<Uuid> {
    run.status.as_ref()?.pod_uid.as_deref()?.parse().ok()
}

fn is_terminal(run: &AgentRun) -> bool {
    run.status
        .as_ref()
        .and_then(|status| status.phase)
        .is_some_and(sympozium_core::run::RunPhase::is_terminal)
}

/// It has ended, or somebody wants it to.
fn is_over(run: &AgentRun) -> bool {
    is_terminal(run) || run.spec.cancel || run.metadata.deletion_timestamp.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn run(name: &str, uid: u128, pod: Option<u128>, phase: &str) -> AgentRun {
        let text = |number| Uuid::from_u128(number).to_string();
        serde_json::from_value(json!({
            "apiVersion": "sympozium.ai/v1alpha1",
            "kind": "AgentRun",
            "metadata": {"name": name, "namespace": "team", "uid": text(uid)},
            "spec": {"instanceRef": "i", "task": "t"},
            "status": {"phase": phase, "podUID": pod.map(text)},
        }))
        .unwrap()
    }

    fn uid(number: u128) -> RunUid {
        RunUid(Uuid::from_u128(number))
    }

    fn seen(index: &Index, pod: u128) -> &'static str {
        match index.of_pod(Uuid::from_u128(pod)) {
            Seen::Run(_) => "run",
            Seen::Gone(_) => "gone",
            Seen::Unknown => "unknown",
        }
    }

    #[test]
    fn a_run_is_found_by_its_pod_until_it_ends() {
        let mut index = Index::default();
        assert_eq!(index.apply(run("r", 1, None, "Pending")), []);
        assert_eq!(seen(&index, 7), "unknown");
        assert_eq!(index.apply(run("r", 1, Some(7), "Running")), []);
        assert_eq!((seen(&index, 7), seen(&index, 8)), ("run", "unknown"));
        assert_eq!(index.apply(run("r", 1, Some(7), "Succeeded")), [uid(1)]);
        assert_eq!((seen(&index, 7), index.len()), ("gone", 0));
    }

    #[test]
    fn what_leaves_the_watch_has_ended() {
        let mut index = Index::default();
        index.apply(run("r", 1, Some(7), "Running"));
        // The last sight of it is older than its pod.
        assert_eq!(index.remove(&run("r", 1, None, "Pending")), Some(uid(1)));
        assert_eq!(seen(&index, 7), "gone");
        index.apply(run("r", 2, Some(8), "Running"));
        // A late word about the run that had this name before.
        assert_eq!(index.remove(&run("r", 1, Some(7), "Running")), Some(uid(1)));
        assert_eq!(seen(&index, 8), "run");
    }

    #[test]
    fn a_name_that_is_used_again_is_another_run() {
        let mut index = Index::default();
        index.apply(run("r", 1, Some(7), "Running"));
        assert_eq!(index.apply(run("r", 2, None, "Pending")), [uid(1)]);
        assert_eq!(seen(&index, 7), "gone");
    }

    #[test]
    fn another_pod_of_the_same_run_takes_the_place_of_the_first() {
        let mut index = Index::default();
        index.apply(run("r", 1, Some(7), "Running"));
        assert_eq!(index.apply(run("r", 1, Some(8), "Running")), []);
        assert_eq!((seen(&index, 7), seen(&index, 8)), ("gone", "run"));
    }

    #[test]
    fn a_run_that_somebody_ends_is_over_before_its_phase_says_so() {
        let mut index = Index::default();
        let mut cancelled = run("r", 1, Some(7), "Running");
        cancelled.spec.cancel = true;
        assert_eq!(index.apply(cancelled), [uid(1)]);
        let Seen::Run(run) = index.of_pod(Uuid::from_u128(7)) else {
            panic!("it is there until it has ended");
        };
        assert!(facts(&run).over);
    }

    #[test]
    fn runs_that_are_missing_when_the_watch_begins_anew_have_ended() {
        let mut index = Index::default();
        index.apply(run("a", 1, Some(7), "Running"));
        index.apply(run("b", 2, Some(8), "Running"));
        assert_eq!(index.replace(vec![run("b", 2, Some(8), "Running")]), [uid(1)]);
        assert_eq!((seen(&index, 7), seen(&index, 8)), ("gone", "run"));
    }

    #[test]
    fn a_pod_is_named_after_its_run() {
        assert_eq!(run_of_pod("my-run-abcde"), Some("my-run"));
        assert_eq!(run_of_pod("pod"), None);
    }
}
