//! Which database is meant. Pure.

use super::super::failure::Failure;
use secrecy::{ExposeSecret, SecretString};
use std::path::PathBuf;

/// A database.
#[derive(Debug, Clone)]
pub(in crate::cli) enum Database {
    /// SQLite, in this file.
    Sqlite(PathBuf),
    /// PostgreSQL; the address may hold a password.
    Postgres(SecretString),
}

impl Database {
    /// A path, `sqlite:<path>`, or `postgres://…`. `origin` names where the text comes from.
    pub(super) fn parse(origin: &str, text: &str) -> Result<Self, Failure> {
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return Ok(Self::Postgres(SecretString::from(text)));
        }
        let path = text
            .strip_prefix("sqlite://")
            .or_else(|| text.strip_prefix("sqlite:"))
            .unwrap_or(text);
        // The text is not shown: it may hold a password.
        if path.is_empty() || path.contains("://") {
            return Err(Failure::input(format!(
                "{origin} must be the path of a file, sqlite:<path>, or postgres://user:password@host/database."
            )));
        }
        Ok(Self::Sqlite(PathBuf::from(path)))
    }
}

impl PartialEq for Database {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Sqlite(a), Self::Sqlite(b)) => a == b,
            (Self::Postgres(a), Self::Postgres(b)) => a.expose_secret() == b.expose_secret(),
            (Self::Sqlite(_), Self::Postgres(_)) | (Self::Postgres(_), Self::Sqlite(_)) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_is_a_path_or_an_address_of_postgres() {
        let sqlite = |path: &str| Some(Database::Sqlite(path.into()));
        let postgres = |url: &str| Some(Database::Postgres(url.into()));
        for (text, expected) in [
            ("/var/x.db", sqlite("/var/x.db")),
            ("x.db", sqlite("x.db")),
            ("sqlite:x.db", sqlite("x.db")),
            ("sqlite:///var/x.db", sqlite("/var/x.db")),
            ("postgres://u:p@h/d", postgres("postgres://u:p@h/d")),
            ("postgresql://h/d", postgres("postgresql://h/d")),
            ("mysql://u:secret@h/d", None),
            ("sqlite:", None),
        ] {
            let parsed = Database::parse("DATABASE_URL", text);
            if let Err(failure) = &parsed {
                assert!(!failure.to_string().contains("secret"));
            }
            assert_eq!(parsed.ok(), expected, "{text}");
        }
    }
}
