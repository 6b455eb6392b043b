//! The launcher of sandboxes. See `sympozium_bins::entry::sandbox`.

use std::process::ExitCode;

fn main() -> ExitCode {
    sympozium_bins::entry::sandbox::main()
}
