//! The `sympozium` command. See `sympozium_bins::cli`.

use std::process::ExitCode;

fn main() -> ExitCode {
    sympozium_bins::cli::main()
}
