-- The four stores. Times are microseconds since 1970-01-01 UTC; JSON is kept as text, so that it comes back as it was.

CREATE TABLE sessions (
    id uuid NOT NULL PRIMARY KEY,
    namespace text NOT NULL,
    instance text NOT NULL,
    session_key text NOT NULL,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    turns bigint NOT NULL,
    UNIQUE (namespace, instance, session_key)
);
CREATE INDEX sessions_by_use ON sessions (updated_at, id);
CREATE INDEX sessions_of_instance_by_use ON sessions (namespace, instance, updated_at, id);

-- `position` counts the turns of a session from 0 without gaps; `folded` is the text as it is searched.
CREATE TABLE turns (
    session_id uuid NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    position bigint NOT NULL,
    run uuid NOT NULL,
    run_index bigint NOT NULL,
    message text NOT NULL,
    folded text NOT NULL,
    model_usage text,
    stored_at bigint NOT NULL,
    PRIMARY KEY (session_id, position),
    UNIQUE (session_id, run, run_index)
);

CREATE TABLE steps (
    run uuid NOT NULL,
    step text NOT NULL,
    place bigint NOT NULL,
    request text NOT NULL,
    owner uuid NOT NULL,
    lease_until bigint NOT NULL,
    begun_at bigint NOT NULL,
    answer text,
    finished_at bigint,
    PRIMARY KEY (run, step)
);

CREATE TABLE ledger_accounts (
    account text NOT NULL PRIMARY KEY,
    tokens bigint NOT NULL,
    micro_usd bigint NOT NULL
);

-- `accounts` is a JSON list of account keys, sorted.
CREATE TABLE ledger_reservations (
    id uuid NOT NULL PRIMARY KEY,
    accounts text NOT NULL,
    tokens bigint NOT NULL,
    micro_usd bigint NOT NULL,
    reserved_at bigint NOT NULL,
    used_tokens bigint,
    used_micro_usd bigint,
    settled_at bigint
);

-- One row per run, so that entries are numbered in the order in which they became visible.
CREATE TABLE audit_runs (
    run uuid NOT NULL PRIMARY KEY,
    entries bigint NOT NULL
);

CREATE TABLE audit_records (
    run uuid NOT NULL,
    position bigint NOT NULL,
    id uuid NOT NULL UNIQUE,
    recorded_at bigint NOT NULL,
    kind text NOT NULL,
    detail text NOT NULL,
    PRIMARY KEY (run, position)
);
