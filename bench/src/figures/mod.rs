//! What is measured: one module, one function and one name each. [`FIGURES`] lists them.

mod bridge;
mod bytes;
mod command;
mod file_turns;
mod first_byte;
mod growth;
mod local;
mod memory;
mod policy;
mod size;
mod start;
mod streams;
mod upstream;

use crate::arguments::Effort;
use crate::programs::Programs;
use crate::report::Line;

/// What the figures are measured with.
#[derive(Debug)]
pub(crate) struct Bench {
    pub(crate) programs: Programs,
    pub(crate) effort: Effort,
}

/// A figure: its name, what it is, and how it is measured.
pub(crate) struct Figure {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) measure: fn(&Bench) -> anyhow::Result<Vec<Line>>,
}

/// All figures, in the order in which they are measured.
pub(crate) const FIGURES: &[Figure] = &[
    Figure {
        name: "start",
        about: "from starting the runner to its first request for a model turn",
        measure: start::measure,
    },
    Figure {
        name: "local",
        about: "the same by the local executor, without and with a sandbox",
        measure: local::measure,
    },
    Figure {
        name: "file-turns",
        about: "time that a turn with a file tool adds",
        measure: file_turns::measure,
    },
    Figure {
        name: "command",
        about: "a command that does nothing, from its request to its result",
        measure: command::measure,
    },
    Figure {
        name: "memory",
        about: "the most memory that a runner has at once",
        measure: memory::measure,
    },
    Figure {
        name: "size",
        about: "the size of the small programs",
        measure: size::measure,
    },
    Figure {
        name: "first-byte",
        about: "time until the first byte of an answer that the gateway adds",
        measure: first_byte::measure,
    },
    Figure {
        name: "growth",
        about: "the same in a conversation that gets long",
        measure: growth::measure,
    },
    Figure {
        name: "streams",
        about: "memory of a gateway with many open streams",
        measure: streams::measure,
    },
    Figure {
        name: "policy",
        about: "one decision by a policy of 1,000 rules",
        measure: policy::measure,
    },
    Figure {
        name: "bytes",
        about: "bytes that a runner sends",
        measure: bytes::measure,
    },
    Figure {
        name: "bridge",
        about: "from files in a mailbox to a NATS server that has them",
        measure: bridge::measure,
    },
];
