//! [`SessionStore`] in SQL.

use super::connection::{Arg, Row, Transaction, args};
use super::{SqlStore, json};
use crate::chat::Message;
use crate::ids::{InstanceName, InstanceRef, Namespace, RunUid, SessionKey};
use crate::store::page::{After, Before, check_limit, cut};
use crate::store::session::{no_session, other_message};
use crate::store::{Page, Session, SessionFilter, SessionId, SessionStore, StoreError, Turn, search};
use async_trait::async_trait;
use jiff::Timestamp;
use sqlx::AssertSqlSafe;
use uuid::Uuid;

const COLUMNS: &str =
    "SELECT id, namespace, instance, session_key, created_at, updated_at, turns FROM sessions";

#[async_trait]
impl SessionStore for SqlStore {
    async fn open(
        &self,
        instance: &InstanceRef,
        key: &SessionKey,
        now: Timestamp,
    ) -> Result<Session, StoreError> {
        // Most sessions are there already, and then nothing needs the writer.
        if let Some(session) = self.find(instance, key).await? {
            return Ok(session);
        }
        let now = now.as_microsecond();
        let mut tx = self.database.begin("open a session").await?;
        // The update changes nothing; it makes the row of another caller visible, whoever came first.
        let row = tx
            .fetch_optional(
                "INSERT INTO sessions (id, namespace, instance, session_key, created_at, updated_at, turns) \
                 VALUES ($1, $2, $3, $4, $5, $6, 0) \
                 ON CONFLICT (namespace, instance, session_key) DO UPDATE SET turns = sessions.turns \
                 RETURNING id, namespace, instance, session_key, created_at, updated_at, turns",
                args![
                    Uuid::new_v4(),
                    instance.namespace.as_str(),
                    instance.name.as_str(),
                    key.as_str(),
                    now,
                    now
                ],
            )
            .await?;
        tx.commit().await?;
        row.map_or_else(
            || {
                Err(StoreError::NotFound {
                    what: format!("session {key} of {instance}"),
                })
            },
            |row| session(&row),
        )
    }

    async fn append(&self, id: SessionId, turns: &[Turn]) -> Result<(), StoreError> {
        let mut tx = self.database.begin("append turns").await?;
        // Locks the session, so that turns are numbered in the order in which they become visible.
        let row = tx
            .fetch_optional(
                "UPDATE sessions SET turns = turns WHERE id = $1 RETURNING turns, updated_at",
                args![id.0],
            )
            .await?
            .ok_or_else(|| no_session(id))?;
        let (mut count, mut used) = (row.int(0)?, row.int(1)?);
        for turn in turns {
            if insert_turn(&mut tx, id, count, turn).await? {
                count = count.saturating_add(1);
                used = used.max(turn.at.as_microsecond());
            }
        }
        tx.execute(
            "UPDATE sessions SET turns = $2, updated_at = $3 WHERE id = $1",
            args![id.0, count, used],
        )
        .await?;
        tx.commit().await
    }

    async fn transcript(
        &self,
        id: SessionId,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<Page<Turn>, StoreError> {
        const STEP: &str = "read a transcript";
        let limit = check_limit(STEP, limit)?;
        let after = After::parse(STEP, cursor)?;
        let rows = self
            .database
            .fetch(
                STEP,
                "SELECT position, run, run_index, message, model_usage, stored_at FROM turns \
                 WHERE session_id = $1 AND position > $2 ORDER BY position LIMIT $3",
                args![id.0, after.0, i64::from(limit) + 1],
            )
            .await?;
        if rows.is_empty() {
            self.database
                .fetch(STEP, "SELECT turns FROM sessions WHERE id = $1", args![id.0])
                .await?
                .pop()
                .ok_or_else(|| no_session(id))?;
        }
        let turns = rows.iter().map(turn).collect::<Result<Vec<_>, _>>()?;
        let page = cut(turns, limit, |(position, _)| After(*position).to_text());
        Ok(Page {
            items: page.items.into_iter().map(|(_, turn)| turn).collect(),
            next: page.next,
        })
    }

    async fn list(
        &self,
        filter: &SessionFilter,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<Page<Session>, StoreError> {
        const STEP: &str = "list sessions";
        let limit = check_limit(STEP, limit)?;
        let (sql, args) = list_statement(filter, Before::parse(STEP, cursor)?, limit)?;
        let rows = self.database.fetch(STEP, AssertSqlSafe(sql), args).await?;
        let sessions = rows.iter().map(session).collect::<Result<Vec<_>, _>>()?;
        Ok(cut(sessions, limit, |last| {
            Before {
                updated_at: last.updated_at.as_microsecond(),
                id: last.id.0,
            }
            .to_text()
        }))
    }

    async fn delete(&self, id: SessionId) -> Result<(), StoreError> {
        let mut tx = self.database.begin("delete a session").await?;
        let removed = tx
            .execute("DELETE FROM sessions WHERE id = $1", args![id.0])
            .await?;
        if removed == 0 {
            tx.rollback().await?;
            return Err(no_session(id));
        }
        tx.commit().await
    }
}

impl SqlStore {
    async fn find(&self, instance: &InstanceRef, key: &SessionKey) -> Result<Option<Session>, StoreError> {
        let filter = SessionFilter {
            instance: Some(instance.clone()),
            key: Some(key.clone()),
            text: None,
        };
        let (sql, args) = list_statement(&filter, None, 1)?;
        let rows = self
            .database
            .fetch("open a session", AssertSqlSafe(sql), args)
            .await?;
        rows.first().map(session).transpose()
    }
}

/// Adds one turn at `position`, unless it is there already. True when it was added.
async fn insert_turn(
    tx: &mut Transaction,
    id: SessionId,
    position: i64,
    turn: &Turn,
) -> Result<bool, StoreError> {
    let usage = turn
        .usage
        .as_ref()
        .map(|usage| json::to_text("append turns", usage))
        .transpose()?;
    let inserted = tx
        .execute(
            "INSERT INTO turns (session_id, position, run, run_index, message, folded, model_usage, stored_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (session_id, run, run_index) DO NOTHING",
            args![
                id.0,
                position,
                turn.run.0,
                i64::from(turn.index),
                json::to_text("append turns", &turn.message)?,
                search::folded(&turn.message),
                usage,
                turn.at.as_microsecond()
            ],
        )
        .await?;
    if inserted == 1 {
        return Ok(true);
    }
    let there = tx
        .fetch_optional(
            "SELECT message FROM turns WHERE session_id = $1 AND run = $2 AND run_index = $3",
            args![id.0, turn.run.0, i64::from(turn.index)],
        )
        .await?
        .map(|row| row.text(0))
        .transpose()?
        .unwrap_or_default();
    let there: Message = json::from_text(&there, || format!("turn {} of {}", turn.index, turn.run))?;
    if there == turn.message {
        Ok(false)
    } else {
        Err(other_message(turn))
    }
}

/// The statement that lists sessions. Made of fixed pieces: what callers say travels in its arguments.
fn list_statement(
    filter: &SessionFilter,
    before: Option<Before>,
    limit: u32,
) -> Result<(String, Vec<Arg>), StoreError> {
    let mut args: Vec<Arg> = Vec::new();
    let mut conditions: Vec<String> = Vec::new();
    let mut place = |arg: Arg| {
        args.push(arg);
        format!("${}", args.len())
    };
    if let Some(instance) = &filter.instance {
        let namespace = place(instance.namespace.as_str().into());
        let name = place(instance.name.as_str().into());
        conditions.push(format!("namespace = {namespace} AND instance = {name}"));
    }
    if let Some(key) = &filter.key {
        conditions.push(format!("session_key = {}", place(key.as_str().into())));
    }
    if let Some(text) = &filter.text {
        let pattern = place(search::like_pattern(&search::needle(text)?).into());
        conditions.push(format!(
            "EXISTS (SELECT 1 FROM turns WHERE turns.session_id = sessions.id AND folded LIKE {pattern} ESCAPE '!')"
        ));
    }
    if let Some(before) = before {
        let time = place(before.updated_at.into());
        let id = place(before.id.into());
        conditions.push(format!("(updated_at, id) < ({time}, {id})"));
    }
    let limit = place((i64::from(limit) + 1).into());
    let conditions = if conditions.is_empty() {
        String::new()
    } else {
        format!(" WHERE {}", conditions.join(" AND "))
    };
    let sql = format!("{COLUMNS}{conditions} ORDER BY updated_at DESC, id DESC LIMIT {limit}");
    Ok((sql, args))
}

fn session(row: &Row) -> Result<Session, StoreError> {
    let id = SessionId(row.uuid(0)?);
    let corrupt = |error: crate::ids::InvalidId| StoreError::Corrupt {
        what: format!("session {id}"),
        source: error.into(),
    };
    Ok(Session {
        id,
        instance: InstanceRef {
            namespace: Namespace::new(row.text(1)?).map_err(corrupt)?,
            name: InstanceName::new(row.text(2)?).map_err(corrupt)?,
        },
        key: SessionKey::new(row.text(3)?).map_err(corrupt)?,
        created_at: json::time(row.int(4)?)?,
        updated_at: json::time(row.int(5)?)?,
        turns: json::unsigned(row.int(6)?)?,
    })
}

/// A turn and its position.
fn turn(row: &Row) -> Result<(i64, Turn), StoreError> {
    let run = RunUid(row.uuid(1)?);
    let index = row.int(2)?;
    let what = || format!("turn {index} of {run}");
    let usage = row.opt_text(4)?;
    let turn = Turn {
        run,
        index: u32::try_from(index).map_err(|error| StoreError::Corrupt {
            what: what(),
            source: error.into(),
        })?,
        message: json::from_text(&row.text(3)?, what)?,
        usage: usage.map(|text| json::from_text(&text, what)).transpose()?,
        at: json::time(row.int(5)?)?,
    };
    Ok((row.int(0)?, turn))
}
