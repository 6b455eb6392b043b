//! The agent container's program. See `sympozium_bins::entry::runner`.

use std::process::ExitCode;

fn main() -> ExitCode {
    sympozium_bins::entry::runner::main()
}
