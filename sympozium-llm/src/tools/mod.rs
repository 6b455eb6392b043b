//! The built-in tools.

mod argv;
mod fetch_url;
mod schema_check;

pub use argv::{ArgvError, command_line};
pub use fetch_url::{FetchUrl, FetchUrlArgs, FetchUrlError};
