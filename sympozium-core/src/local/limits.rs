//! How much of the machine one run may use.

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
            memory: 4 << 30,
            processes: 512,
            workspace: 1 << 30,
            tmp: 256 << 20,
            file_size: 1 << 30,
            open_files: 1024,
        }
    }
}
