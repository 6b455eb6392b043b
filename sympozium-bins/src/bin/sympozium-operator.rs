//! The operator's program. See `sympozium_bins::operator`.

use std::process::ExitCode;

fn main() -> ExitCode {
    sympozium_bins::operator::main()
}
