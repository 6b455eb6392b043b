//! What the figures were measured on.

use serde::Serialize;
use std::path::Path;

/// The machine, in words.
#[derive(Debug, Serialize)]
pub(crate) struct Machine {
    pub(crate) processor: String,
    pub(crate) cores: usize,
    pub(crate) memory: String,
    pub(crate) kernel: String,
    /// The file system of temporary files, in which runs work.
    pub(crate) temporary: String,
}

/// A line of a file of the form `name : value`.
pub(crate) fn field(text: &str, name: &str) -> Option<String> {
    text.lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(found, _)| found.trim() == name)
        .map(|(_, value)| value.trim().to_owned())
}

fn text(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

impl Machine {
    pub(crate) fn look() -> Self {
        let or_unknown = |found: Option<String>| found.unwrap_or_else(|| "unknown".to_owned());
        Self {
            processor: or_unknown(field(&text("/proc/cpuinfo"), "model name")),
            cores: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            memory: or_unknown(field(&text("/proc/meminfo"), "MemTotal").and_then(|size| gibibytes(&size))),
            kernel: version(&text("/proc/sys/kernel/osrelease")),
            temporary: or_unknown(file_system(&std::env::temp_dir(), &text("/proc/mounts"))),
        }
    }
}

fn gibibytes(size: &str) -> Option<String> {
    let kilobytes: u64 = size.strip_suffix(" kB")?.parse().ok()?;
    Some(format!("{} GiB", kilobytes.div_ceil(1 << 20)))
}

/// The numbers of a kernel's name; what follows is its builder's.
fn version(release: &str) -> String {
    let numbers = release.split(|sign: char| !sign.is_ascii_digit() && sign != '.');
    numbers.take(1).collect()
}

/// The kind of the file system in which a folder is.
fn file_system(folder: &Path, mounts: &str) -> Option<String> {
    let mounts = mounts.lines().filter_map(|line| {
        let mut words = line.split(' ').skip(1);
        Some((words.next()?, words.next()?))
    });
    // The last of the longest: a later mount hides an earlier one at the same place.
    let (_, kind) = mounts
        .filter(|(at, _)| folder.starts_with(at))
        .max_by_key(|(at, _)| at.len())?;
    Some(kind.to_owned())
}

/// How busy the machine was in the last minute, in running processes.
pub(crate) fn load() -> String {
    text("/proc/loadavg")
        .split(' ')
        .next()
        .unwrap_or("unknown")
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deepest_mount_tells_the_file_system() {
        let mounts = "overlay / overlay rw 0 0\ntmpfs /tmp tmpfs rw 0 0\nproc /proc proc rw 0 0\n";
        assert_eq!(file_system(Path::new("/tmp/a"), mounts).as_deref(), Some("tmpfs"));
        assert_eq!(file_system(Path::new("/var"), mounts).as_deref(), Some("overlay"));
    }

    #[test]
    fn sizes_and_versions_are_told_as_people_do() {
        assert_eq!(gibibytes("24684084 kB").as_deref(), Some("24 GiB"));
        assert_eq!(version("6.18.44-generic-1\n"), "6.18.44");
    }

    #[test]
    fn a_field_is_found_by_its_whole_name() {
        let text = "VmRSS:\t  10 kB\nVmHWM:\t  12 kB\n";
        assert_eq!(field(text, "VmHWM").as_deref(), Some("12 kB"));
        assert_eq!(field(text, "Vm"), None);
    }
}
