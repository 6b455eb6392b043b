//! Making and opening the mailbox of a pod.

use super::kind::Kind;
use crate::ids::PackName;
use crate::ipc::mailbox::{MailboxError, OpenFolder};
use crate::ipc::{Folder, Layout};
use std::fs::DirBuilder;
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

/// All folders of a run, opened once.
#[derive(Debug)]
pub(super) struct Folders {
    /// What is read, in the order of [`Kind::all`].
    pub(super) read: Vec<(Kind, OpenFolder)>,
    pub(super) input: OpenFolder,
    pub(super) receipts: OpenFolder,
    pub(super) approvals: OpenFolder,
    pub(super) approvals_of: Vec<(PackName, OpenFolder)>,
}

impl Folders {
    /// Makes those that are not there, and opens all.
    pub(super) fn open(layout: &Layout, packs: &[PackName]) -> Result<Self, MailboxError> {
        let mut wanted = Layout::folders(packs);
        wanted.extend(packs.iter().cloned().map(Folder::Record));
        for folder in wanted {
            make(&layout.folder(&folder))?;
        }
        let open = |folder: Folder| OpenFolder::open(&layout.folder(&folder));
        let read = Kind::all(packs).into_iter();
        let read = read.map(|kind| open(kind.folder()).map(|folder| (kind, folder)));
        let of =
            |pack: &PackName| open(Folder::ApprovalsOf(pack.clone())).map(|folder| (pack.clone(), folder));
        Ok(Self {
            read: read.collect::<Result<_, _>>()?,
            input: open(Folder::Input)?,
            receipts: open(Folder::Receipts)?,
            approvals: open(Folder::Approvals)?,
            approvals_of: packs.iter().map(of).collect::<Result<_, _>>()?,
        })
    }
}

/// Whoever mounts a folder of the volume may have been first, so the kubelet may have made it. It is not looked at whose it
/// is: a container's users are the pod's affair.
fn make(path: &Path) -> Result<(), MailboxError> {
    let made = DirBuilder::new().recursive(true).mode(0o775).create(path);
    match made {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(MailboxError::io("make", path)(error)),
        Ok(()) | Err(_) => Ok(()),
    }
}
