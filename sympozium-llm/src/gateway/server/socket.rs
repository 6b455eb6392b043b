//! A Unix socket for one run.

use super::ServeError;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::{fs, io};
use tokio::net::UnixListener;
use uuid::Uuid;

/// A Unix socket that is bound and waits to be served. Connections made meanwhile wait too.
///
/// Only its owner may connect (mode 0600). Dropping it removes the file.
#[derive(Debug)]
pub struct RunSocket {
    pub(super) listener: UnixListener,
    path: PathBuf,
}

impl RunSocket {
    /// Binds a socket at `path`. A file that a killed gateway left there is replaced; a socket on which somebody
    /// answers is not. Needs a tokio runtime.
    pub fn bind(path: &Path) -> Result<Self, ServeError> {
        let failed = |source| ServeError::Bind {
            path: path.to_owned(),
            source,
        };
        if fs::symlink_metadata(path).is_ok_and(|found| !found.file_type().is_socket()) {
            return Err(failed(io::Error::from(io::ErrorKind::AlreadyExists)));
        }
        if std::os::unix::net::UnixStream::connect(path).is_ok() {
            return Err(ServeError::InUse {
                path: path.to_owned(),
            });
        }
        let listener = bind_privately(path).map_err(failed)?;
        Ok(Self {
            listener,
            path: path.to_owned(),
        })
    }
}

/// The socket appears at its place with its permissions: made in a folder that nobody else can enter, then moved.
fn bind_privately(path: &Path) -> io::Result<UnixListener> {
    let id = Uuid::new_v4().simple().to_string();
    let short = id.get(..8).unwrap_or(&id);
    let folder = path.with_file_name(format!(".{short}"));
    fs::DirBuilder::new().mode(0o700).create(&folder)?;
    let made = folder.join("s");
    let bound = UnixListener::bind(&made).and_then(|listener| {
        fs::set_permissions(&made, fs::Permissions::from_mode(0o600))?;
        fs::rename(&made, path)?;
        Ok(listener)
    });
    let _ = fs::remove_file(&made);
    fs::remove_dir(&folder)?;
    bound
}

impl Drop for RunSocket {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.path) {
            tracing::debug!(%error, path = %self.path.display(), "the socket's file was gone already");
        }
    }
}
