//! The bridge container's program. See `sympozium_bins::entry::bridge`.

use std::process::ExitCode;

fn main() -> ExitCode {
    sympozium_bins::entry::bridge::main()
}
