//! The built-in tools.

mod fetch_url;

pub use fetch_url::{FetchUrl, FetchUrlArgs, FetchUrlError};
