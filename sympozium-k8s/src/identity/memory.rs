//! What was reviewed a moment ago, by the SHA-256 of token and audience. Pure but for the time that it is told.

use super::subject::Subject;
use jiff::{SignedDuration, Timestamp};
use std::collections::HashMap;

/// What identifies a question: the SHA-256 of the token and its audience.
pub(super) type Question = [u8; 32];

/// What is remembered of a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Recalled {
    /// It was not asked, or too long ago.
    Nothing,
    /// The token is nobody's.
    NotGenuine,
    /// It is theirs.
    Genuine(Subject),
}

/// An answer that may be used until then.
#[derive(Debug, Clone)]
struct Answer {
    subject: Option<Subject>,
    until: Timestamp,
}

/// Answers of reviews, genuine and not. Bounded.
#[derive(Debug)]
pub(super) struct Memory {
    answers: HashMap<Question, Answer>,
    most: usize,
    /// How long an answer may be used.
    keep: SignedDuration,
}

impl Memory {
    pub(super) fn new(most: usize, keep: SignedDuration) -> Self {
        Self {
            answers: HashMap::new(),
            most,
            keep,
        }
    }

    /// What a review said, if it may still be used.
    pub(super) fn recall(&self, question: &Question, now: Timestamp) -> Recalled {
        let answer = self.answers.get(question).filter(|answer| answer.until > now);
        match answer.map(|answer| answer.subject.clone()) {
            None => Recalled::Nothing,
            Some(None) => Recalled::NotGenuine,
            Some(Some(subject)) => Recalled::Genuine(subject),
        }
    }

    /// Keeps an answer, at most until the token expires.
    pub(super) fn keep(
        &mut self,
        question: Question,
        subject: Option<Subject>,
        expires: Timestamp,
        now: Timestamp,
    ) {
        if self.answers.len() >= self.most {
            self.answers.retain(|_, answer| answer.until > now);
        }
        if self.answers.len() >= self.most {
            // Junk is forgotten first: who sends it must not push out those who are known.
            self.answers.retain(|_, answer| answer.subject.is_some());
        }
        if self.answers.len() >= self.most {
            self.answers.clear();
        }
        let until = now.saturating_add(self.keep).unwrap_or(now).min(expires);
        self.answers.insert(question, Answer { subject, until });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn known() -> Recalled {
        Recalled::Genuine(subject())
    }

    fn subject() -> Subject {
        Subject {
            namespace: "team".parse().unwrap(),
            service_account: "sa".to_owned(),
            pod: Uuid::from_u128(1),
            pod_name: "r".to_owned(),
        }
    }

    #[test]
    fn an_answer_is_used_for_a_while_and_never_beyond_the_tokens_end() {
        let mut memory = Memory::new(10, SignedDuration::from_secs(30));
        memory.keep([1; 32], Some(subject()), at(1_000), at(0));
        memory.keep([2; 32], Some(subject()), at(10), at(0));
        memory.keep([3; 32], None, at(1_000), at(0));
        assert_eq!(memory.recall(&[1; 32], at(29)), known());
        assert_eq!(memory.recall(&[1; 32], at(30)), Recalled::Nothing);
        assert_eq!(memory.recall(&[2; 32], at(9)), known());
        assert_eq!(memory.recall(&[2; 32], at(10)), Recalled::Nothing);
        assert_eq!(memory.recall(&[3; 32], at(1)), Recalled::NotGenuine);
        assert_eq!(memory.recall(&[4; 32], at(1)), Recalled::Nothing);
    }

    #[test]
    fn junk_pushes_nobody_out_who_is_known() {
        let mut memory = Memory::new(4, SignedDuration::from_secs(30));
        memory.keep([0; 32], Some(subject()), at(1_000), at(0));
        for junk in 1..100 {
            memory.keep([junk; 32], None, at(1_000), at(0));
            assert!(memory.answers.len() <= 4);
        }
        assert_eq!(memory.recall(&[0; 32], at(1)), known());
    }
}
