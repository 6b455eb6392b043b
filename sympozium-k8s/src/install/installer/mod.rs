//! The half that talks to a cluster. Entry: [`Installer`].
//!
//! Everything is server-side apply and can be done again: an installation that broke off is finished by the next one.

mod client;
mod install;
mod look;
mod rollout;
mod uninstall;

use kube::Client;
use std::fmt;
use std::time::Duration;

/// Who we are to server-side apply.
pub(super) const FIELD_MANAGER: &str = "sympozium-install";

/// Whether to wait until what was applied runs, and how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waiting {
    /// Until everything runs, for at most this long.
    AtMost(Duration),
    /// Not at all.
    No,
}

/// What becomes of the user's data when Sympozium is removed: custom resources, volumes, keys, the namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Data {
    /// It stays, and so do the kinds that it is of.
    Keep,
    /// It is deleted.
    Delete,
}

/// Installs, removes, and looks.
pub struct Installer {
    client: Client,
    progress: Box<dyn Fn(&str) + Send + Sync>,
}

impl fmt::Debug for Installer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Installer").finish_non_exhaustive()
    }
}

impl Installer {
    /// Works by this client, which must be allowed to do what is installed: in practice the cluster's administrator.
    pub fn new(client: Client) -> Self {
        Self {
            client,
            progress: Box::new(|_| ()),
        }
    }

    /// Tells what it does, one line at a time, as it begins.
    #[must_use]
    pub fn on_progress(mut self, tell: impl Fn(&str) + Send + Sync + 'static) -> Self {
        self.progress = Box::new(tell);
        self
    }

    fn tell(&self, line: &str) {
        (self.progress)(line);
    }
}
