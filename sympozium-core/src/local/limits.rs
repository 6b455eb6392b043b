//! How much of the machine one run may use: what can be asked for, and how it is said.

use super::LocalWorkspace;

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
const TIB: u64 = 1 << 40;

/// The most that one run may use of the machine. All sizes are in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LocalLimits {
    /// Memory of all processes of the run and of its private file systems together, where a cgroup counts it; of each
    /// process elsewhere. Default: 4 GiB.
    pub memory: u64,
    /// Processes and threads of the run where a cgroup counts them; of each executor elsewhere. Default: 512.
    pub processes: u64,
    /// A private workspace. Default: 1 GiB.
    pub workspace: u64,
    /// `/tmp` of each process. Default: 256 MiB.
    pub tmp: u64,
    /// The largest file that a process can write. Default: 1 GiB.
    pub file_size: u64,
    /// Open files of one process. Default: 1,024.
    pub open_files: u64,
}

impl Default for LocalLimits {
    fn default() -> Self {
        Self {
            memory: 4 * GIB,
            processes: 512,
            workspace: GIB,
            tmp: 256 * MIB,
            file_size: GIB,
            open_files: 1024,
        }
    }
}

/// What cgroups count for a whole run on this machine.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Memory of all its processes and private file systems together.
    pub memory: bool,
    /// All its processes and threads.
    pub processes: bool,
}

/// Why a limit was not taken. The text says what would be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LimitError {
    /// There is no limit of that name.
    #[error("there is no limit `{name}`; there are {known}")]
    Unknown {
        /// The name.
        name: String,
        /// The names that there are, as a list.
        known: String,
    },
    /// The amount can't be read.
    #[error("`{amount}` is no amount for the limit `{name}`: give {wanted}")]
    Unreadable {
        /// The limit.
        name: &'static str,
        /// What was given.
        amount: String,
        /// What can be given.
        wanted: &'static str,
    },
    /// The amount is too small to start anything with, or larger than can be held to.
    #[error("the limit `{name}` can't be {amount}: it is at least {least} and at most {most}")]
    OutOfBounds {
        /// The limit.
        name: &'static str,
        /// What was given.
        amount: String,
        /// The smallest amount that is taken.
        least: String,
        /// The largest amount that is taken.
        most: String,
    },
}

/// What a limit counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Bytes,
    Things,
}

impl Unit {
    fn wanted(self) -> &'static str {
        match self {
            Self::Bytes => "bytes, such as `512Mi`, `1.5Gi`, `500M` or `1048576`",
            Self::Things => "a whole number, such as `512`",
        }
    }

    fn parse(self, amount: &str) -> Option<u64> {
        match self {
            Self::Bytes => bytes(amount),
            Self::Things => whole(amount),
        }
    }

    fn say(self, value: u64) -> String {
        match self {
            Self::Bytes => size(value),
            Self::Things => value.to_string(),
        }
    }
}

/// One limit: its name on the command line, its bounds, its field.
struct Limit {
    name: &'static str,
    unit: Unit,
    least: u64,
    most: u64,
    field: fn(&mut LocalLimits) -> &mut u64,
}

/// A run needs about 20 MiB and, for its own programs alone, a few dozen threads: below the least values nothing starts.
const LIMITS: [Limit; 6] = [
    Limit {
        name: "memory",
        unit: Unit::Bytes,
        least: 64 * MIB,
        most: 4 * TIB,
        field: |limits| &mut limits.memory,
    },
    Limit {
        name: "processes",
        unit: Unit::Things,
        least: 64,
        most: 32_768,
        field: |limits| &mut limits.processes,
    },
    Limit {
        name: "workspace",
        unit: Unit::Bytes,
        least: MIB,
        most: 4 * TIB,
        field: |limits| &mut limits.workspace,
    },
    Limit {
        name: "tmp",
        unit: Unit::Bytes,
        least: MIB,
        most: 4 * TIB,
        field: |limits| &mut limits.tmp,
    },
    Limit {
        name: "file-size",
        unit: Unit::Bytes,
        least: MIB,
        most: 4 * TIB,
        field: |limits| &mut limits.file_size,
    },
    Limit {
        name: "open-files",
        unit: Unit::Things,
        least: 64,
        most: 1_048_576,
        field: |limits| &mut limits.open_files,
    },
];

impl LocalLimits {
    /// The names that [`set`](Self::set) takes.
    pub fn names() -> impl Iterator<Item = &'static str> {
        LIMITS.iter().map(|limit| limit.name)
    }

    /// Sets one limit, as `--limit NAME=AMOUNT` does. Sizes are written as quantities of Kubernetes (`512Mi`, `1.5Gi`,
    /// `500M`, plain bytes), counts as whole numbers.
    ///
    /// | name | least | most |
    /// |---|---|---|
    /// | `memory` | 64 MiB | 4 TiB |
    /// | `processes` | 64 | 32,768 |
    /// | `workspace`, `tmp`, `file-size` | 1 MiB | 4 TiB |
    /// | `open-files` | 64 | 1,048,576 |
    pub fn set(&mut self, name: &str, amount: &str) -> Result<(), LimitError> {
        let Some(limit) = LIMITS.iter().find(|limit| limit.name == name) else {
            return Err(LimitError::Unknown {
                name: shown(name),
                known: Self::names().collect::<Vec<_>>().join(", "),
            });
        };
        let Some(value) = limit.unit.parse(amount) else {
            return Err(LimitError::Unreadable {
                name: limit.name,
                amount: shown(amount),
                wanted: limit.unit.wanted(),
            });
        };
        if !(limit.least..=limit.most).contains(&value) {
            return Err(LimitError::OutOfBounds {
                name: limit.name,
                amount: shown(amount),
                least: limit.unit.say(limit.least),
                most: limit.unit.say(limit.most),
            });
        }
        *(limit.field)(self) = value;
        Ok(())
    }
}

/// What holds for a run, as one clause for its first line. `counted` = what cgroups count, `None` where there are none.
pub fn sentence(limits: &LocalLimits, counted: Option<Counts>, workspace: &LocalWorkspace) -> String {
    let counts = counted.unwrap_or_default();
    let memory = size(limits.memory);
    let processes = limits.processes;
    let first = match (counts.memory, counts.processes) {
        (true, true) => format!("at most {memory} of memory and {processes} processes (cgroup)"),
        (true, false) => {
            format!("at most {memory} of memory (cgroup) and {processes} processes per executor")
        }
        (false, true) => format!("at most {memory} of memory per process and {processes} processes (cgroup)"),
        (false, false) => {
            format!("at most {memory} of memory per process and {processes} processes per executor")
        }
    };
    let space = match workspace {
        LocalWorkspace::Private => format!("{} in /workspace", size(limits.workspace)),
        LocalWorkspace::Given { read_only: true, .. } => "nothing in /workspace".to_owned(),
        LocalWorkspace::Given { read_only: false, .. } => format!(
            "files of at most {} but no bound on the whole in /workspace",
            size(limits.file_size)
        ),
    };
    let missing = match (counts.memory, counts.processes) {
        (true, true) => "",
        (true, false) => "; no cgroup bounds all processes together",
        (false, true) => "; no cgroup bounds the memory of all processes together",
        (false, false) => "; no cgroup bounds the whole",
    };
    format!("{first}, {space}, {} in each /tmp{missing}", size(limits.tmp))
}

/// Reads a quantity of bytes. Fractions are rounded up, as Kubernetes does.
fn bytes(text: &str) -> Option<u64> {
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, suffix) = text.split_at_checked(end)?;
    let (whole_part, fraction) = number.split_once('.').unwrap_or((number, ""));
    if fraction.len() > 9 || number.ends_with('.') {
        return None;
    }
    let unit = u128::from(unit(suffix)?);
    let places = 10_u128.pow(u32::try_from(fraction.len()).ok()?);
    let fraction = if fraction.is_empty() { 0 } else { whole(fraction)? };
    let scaled = u128::from(whole(whole_part)?) * places + u128::from(fraction);
    u64::try_from(scaled.checked_mul(unit)?.div_ceil(places)).ok()
}

fn unit(suffix: &str) -> Option<u64> {
    Some(match suffix {
        "" => 1,
        "Ki" => KIB,
        "Mi" => MIB,
        "Gi" => GIB,
        "Ti" => TIB,
        "k" => 1_000,
        "M" => 1_000_000,
        "G" => 1_000_000_000,
        "T" => 1_000_000_000_000,
        _ => return None,
    })
}

/// Digits alone: the standard parser takes a leading `+` too.
fn whole(text: &str) -> Option<u64> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        text.parse().ok()
    } else {
        None
    }
}

/// A size in the largest unit in which it is a short number. Never said to be less than it is.
fn size(bytes: u64) -> String {
    let units = [(TIB, "TiB"), (GIB, "GiB"), (MIB, "MiB"), (KIB, "KiB")];
    let Some((unit, name)) = units.into_iter().find(|(unit, _)| bytes >= *unit) else {
        return format!("{bytes} bytes");
    };
    let tenths = (u128::from(bytes) * 10).div_ceil(u128::from(unit));
    match tenths % 10 {
        0 => format!("{} {name}", tenths / 10),
        rest => format!("{}.{rest} {name}", tenths / 10),
    }
}

/// The beginning of what somebody wrote, for a message.
fn shown(text: &str) -> String {
    text.chars().take(40).collect()
}

#[cfg(test)]
#[path = "limits_tests.rs"]
mod tests;
