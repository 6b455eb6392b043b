//! The skill sidecar's program. See `sympozium_bins::entry::toolbox`.

use std::process::ExitCode;

fn main() -> ExitCode {
    sympozium_bins::entry::toolbox::main()
}
