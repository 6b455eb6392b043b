//! Lists in parts: how many entries a part may have, and what its cursor says. Pure.

use super::{Page, StoreError};
use uuid::Uuid;

/// The most entries of one part; a larger `limit` gets this many.
pub const MAX_PAGE: u32 = 1_000;

/// Checks a caller's limit: at least 1; more than [`MAX_PAGE`] counts as [`MAX_PAGE`].
pub(super) fn check_limit(step: &'static str, limit: u32) -> Result<u32, StoreError> {
    if limit == 0 {
        return Err(StoreError::Invalid {
            step,
            detail: "the limit must be at least 1".to_owned(),
        });
    }
    Ok(limit.min(MAX_PAGE))
}

/// Makes a part of entries of which one more than `limit` was read, if there were that many.
pub(super) fn cut<T>(mut items: Vec<T>, limit: u32, cursor: impl FnOnce(&T) -> String) -> Page<T> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = items.len() > limit;
    items.truncate(limit);
    let next = if more { items.last().map(cursor) } else { None };
    Page { items, next }
}

/// A place in a list that only grows at its end: the number of the entry that was last seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct After(pub(super) i64);

impl After {
    pub(super) fn to_text(self) -> String {
        format!("n{}", self.0)
    }

    /// The place that a cursor names; before the first entry when there is none.
    pub(super) fn parse(step: &'static str, cursor: Option<&str>) -> Result<Self, StoreError> {
        let Some(text) = cursor else {
            return Ok(Self(-1));
        };
        text.strip_prefix('n')
            .and_then(|number| number.parse().ok())
            .filter(|number| *number >= 0)
            .map(Self)
            .ok_or_else(|| unknown_cursor(step))
    }
}

/// A place in the list of sessions: when the one that was last seen was used, and which it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Before {
    pub(super) updated_at: i64,
    pub(super) id: Uuid,
}

impl Before {
    pub(super) fn to_text(self) -> String {
        format!("u{}.{}", self.updated_at, self.id)
    }

    /// The place that a cursor names; `None` when there is no cursor.
    pub(super) fn parse(step: &'static str, cursor: Option<&str>) -> Result<Option<Self>, StoreError> {
        let Some(text) = cursor else {
            return Ok(None);
        };
        let parsed = text.strip_prefix('u').and_then(|rest| {
            let (time, id) = rest.split_once('.')?;
            Some(Self {
                updated_at: time.parse().ok()?,
                id: Uuid::parse_str(id).ok()?,
            })
        });
        parsed.map(Some).ok_or_else(|| unknown_cursor(step))
    }
}

fn unknown_cursor(step: &'static str) -> StoreError {
    StoreError::Invalid {
        step,
        detail: "the cursor did not come from this list; begin again without one".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_survive_their_text() {
        let before = Before {
            updated_at: -5,
            id: Uuid::from_u128(7),
        };
        assert_eq!(Before::parse("s", Some(&before.to_text())).unwrap(), Some(before));
        assert_eq!(After::parse("s", Some(&After(7).to_text())).unwrap(), After(7));
    }

    #[test]
    fn foreign_cursors_are_refused() {
        for text in [
            "",
            "n",
            "n-1",
            "7",
            "u1",
            "u1.x",
            "ux.1",
            "n99999999999999999999",
            "n1;",
        ] {
            assert!(After::parse("s", Some(text)).is_err(), "{text}");
            assert!(Before::parse("s", Some(text)).is_err(), "{text}");
        }
    }

    #[test]
    fn only_a_longer_list_has_a_next_part() {
        let page = cut(vec![1, 2, 3], 2, ToString::to_string);
        assert_eq!((page.items, page.next), (vec![1, 2], Some("2".to_owned())));
        assert_eq!(cut(vec![1, 2], 2, ToString::to_string).next, None);
        assert!(check_limit("s", 0).is_err());
        assert_eq!(check_limit("s", u32::MAX).unwrap(), MAX_PAGE);
    }
}
