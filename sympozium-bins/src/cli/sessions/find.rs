//! Finds the session that a person names: by its key in an instance, else by its id.

use super::session_key;
use crate::cli::failure::Failure;
use std::str::FromStr;
use sympozium_core::ids::InstanceRef;
use sympozium_core::store::{MAX_PAGE, Session, SessionFilter, SessionId, SessionStore};

/// The session, or a sentence that says that there is none.
pub(super) async fn find(
    store: &dyn SessionStore,
    instance: &InstanceRef,
    name: &str,
) -> Result<Session, Failure> {
    let by_key = SessionFilter {
        instance: Some(instance.clone()),
        key: Some(session_key(name)?),
        text: None,
    };
    if let Some(session) = store.list(&by_key, None, 1).await?.items.into_iter().next() {
        return Ok(session);
    }
    if let Ok(id) = SessionId::from_str(name)
        && let Some(session) = by_id(store, id).await?
    {
        return Ok(session);
    }
    Err(Failure::input(format!(
        "There is no session {name:?} of instance {instance}; `sympozium sessions list` shows those that there are."
    )))
}

async fn by_id(store: &dyn SessionStore, id: SessionId) -> Result<Option<Session>, Failure> {
    let everything = SessionFilter::default();
    let mut cursor: Option<String> = None;
    loop {
        let page = store.list(&everything, cursor.as_deref(), MAX_PAGE).await?;
        if let Some(session) = page.items.into_iter().find(|session| session.id == id) {
            return Ok(Some(session));
        }
        cursor = page.next;
        if cursor.is_none() {
            return Ok(None);
        }
    }
}
