//! The model gateway of an installation. See `sympozium_bins::gateway`.

use std::process::ExitCode;

fn main() -> ExitCode {
    sympozium_bins::gateway::main()
}
