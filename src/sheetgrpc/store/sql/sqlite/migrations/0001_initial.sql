-- Sessions with their event log, sheets with their analysis, executions with their results, stored replies.
-- Times are microseconds since 1970 UTC. A body is the JSON of the record; the columns beside it are what is searched.

-- incarnation: names this database; a restored copy is given another, so that what was handed out before is not trusted.
CREATE TABLE sheetgrpc_meta (
    name text PRIMARY KEY,
    value text NOT NULL
) WITHOUT ROWID;

CREATE TABLE sheetgrpc_sessions (
    id text PRIMARY KEY,
    created_at integer NOT NULL,
    state text NOT NULL,
    lifecycle text NOT NULL,
    version integer NOT NULL,
    role text NOT NULL,
    task_id text NOT NULL,
    parent_id text NOT NULL,
    symbol_count integer NOT NULL DEFAULT 0,
    symbols blob,
    body blob NOT NULL,
    -- prevents ids that a look-up in upper case or by prefix would miss
    CHECK (length(id) = 26 AND id = upper(id)),
    -- prevents a session without its first event
    CHECK (version >= 1),
    -- prevents states that this schema's readers cannot name
    CHECK (state IN ('EMPTY', 'SCOPED', 'TEMPLATED', 'GENERATED', 'PARSED', 'RESOLVING', 'READY', 'EXECUTING', 'EXECUTED')),
    CHECK (lifecycle IN ('PENDING', 'ACTIVE', 'COMPLETED', 'FAILED', 'EXPIRED')),
    -- prevents a session that ends while its sheet runs
    CHECK (state <> 'EXECUTING' OR lifecycle = 'ACTIVE')
);

-- lists, newest first; state and lifecycle so that a filter reads the index alone
CREATE INDEX sheetgrpc_sessions_by_age ON sheetgrpc_sessions (created_at, id, state, lifecycle);

-- PRIMARY KEY: prevents one label from meaning two sessions.
CREATE TABLE sheetgrpc_labels (
    label text PRIMARY KEY,
    session_id text NOT NULL REFERENCES sheetgrpc_sessions (id) ON DELETE CASCADE
) WITHOUT ROWID;

CREATE INDEX sheetgrpc_labels_by_session ON sheetgrpc_labels (session_id);

-- PRIMARY KEY: prevents two events with one sequence, whoever writes them.
CREATE TABLE sheetgrpc_events (
    session_id text NOT NULL REFERENCES sheetgrpc_sessions (id) ON DELETE CASCADE,
    sequence integer NOT NULL,
    body blob NOT NULL,
    PRIMARY KEY (session_id, sequence),
    -- prevents a log that does not begin at 1
    CHECK (sequence >= 1)
) WITHOUT ROWID;

-- prevents history from being rewritten
CREATE TRIGGER sheetgrpc_events_are_final BEFORE UPDATE ON sheetgrpc_events
BEGIN
    SELECT RAISE(ABORT, 'events are never changed');
END;

CREATE TABLE sheetgrpc_scopes (
    id text PRIMARY KEY,
    session_id text NOT NULL REFERENCES sheetgrpc_sessions (id) ON DELETE CASCADE,
    entity_type text NOT NULL,
    source text NOT NULL,
    keys blob NOT NULL
);

CREATE INDEX sheetgrpc_scopes_by_session ON sheetgrpc_scopes (session_id);

-- prevents a snapshot from changing under what was generated from it
CREATE TRIGGER sheetgrpc_scopes_are_final BEFORE UPDATE ON sheetgrpc_scopes
BEGIN
    SELECT RAISE(ABORT, 'scopes are never changed');
END;

CREATE TABLE sheetgrpc_sheets (
    id text PRIMARY KEY,
    session_id text NOT NULL REFERENCES sheetgrpc_sessions (id) ON DELETE CASCADE,
    digest text NOT NULL,
    statement_count integer NOT NULL,
    created_at integer NOT NULL,
    scope_id text NOT NULL,
    template_statements integer NOT NULL,
    source blob NOT NULL
);

CREATE INDEX sheetgrpc_sheets_by_session ON sheetgrpc_sheets (session_id);

-- prevents a sheet from changing after somebody confirmed it
CREATE TRIGGER sheetgrpc_sheets_are_final BEFORE UPDATE ON sheetgrpc_sheets
BEGIN
    SELECT RAISE(ABORT, 'sheets are never changed');
END;

CREATE TABLE sheetgrpc_analyses (
    sheet_id text PRIMARY KEY REFERENCES sheetgrpc_sheets (id) ON DELETE CASCADE,
    body blob NOT NULL
);

CREATE TABLE sheetgrpc_diagnostics (
    sheet_id text NOT NULL REFERENCES sheetgrpc_sheets (id) ON DELETE CASCADE,
    position integer NOT NULL,
    body text NOT NULL,
    PRIMARY KEY (sheet_id, position)
) WITHOUT ROWID;

-- entity_id has no affinity: an integer key and a text key that looks like it stay two things.
CREATE TABLE sheetgrpc_references (
    sheet_id text NOT NULL REFERENCES sheetgrpc_sheets (id) ON DELETE CASCADE,
    position integer NOT NULL,
    ref_id text NOT NULL,
    entity_id,
    body text NOT NULL,
    PRIMARY KEY (sheet_id, position)
) WITHOUT ROWID;

-- prevents one ref_id from meaning two references of a sheet
CREATE UNIQUE INDEX sheetgrpc_references_by_ref_id ON sheetgrpc_references (sheet_id, ref_id);

CREATE INDEX sheetgrpc_references_open ON sheetgrpc_references (sheet_id, position) WHERE entity_id IS NULL;

CREATE TABLE sheetgrpc_executions (
    number integer PRIMARY KEY,
    id text NOT NULL UNIQUE,
    session_id text NOT NULL REFERENCES sheetgrpc_sessions (id) ON DELETE CASCADE,
    sheet_id text NOT NULL REFERENCES sheetgrpc_sheets (id) ON DELETE CASCADE,
    submitted_at integer NOT NULL,
    state text NOT NULL,
    epoch integer NOT NULL,
    body blob NOT NULL,
    -- prevents what lives in a process's memory only (CANCELLING, COMMITTING) from outliving it
    CHECK (state IN ('QUEUED', 'RUNNING', 'SUCCEEDED', 'PARTIAL', 'ROLLED_BACK', 'FAILED', 'CANCELLED', 'TIMED_OUT', 'INTERRUPTED')),
    -- prevents a run that nobody claimed
    CHECK (state <> 'RUNNING' OR epoch >= 1)
);

-- prevents two unfinished executions of one session, whoever loses the race
CREATE UNIQUE INDEX sheetgrpc_executions_unfinished ON sheetgrpc_executions (session_id) WHERE state IN ('QUEUED', 'RUNNING');

CREATE INDEX sheetgrpc_executions_by_age ON sheetgrpc_executions (submitted_at, id, state);
CREATE INDEX sheetgrpc_executions_by_session ON sheetgrpc_executions (session_id, submitted_at, id, state);
CREATE INDEX sheetgrpc_executions_by_sheet ON sheetgrpc_executions (sheet_id);

-- prevents an outcome from changing once it was told
CREATE TRIGGER sheetgrpc_executions_end_once BEFORE UPDATE ON sheetgrpc_executions
WHEN OLD.state NOT IN ('QUEUED', 'RUNNING')
BEGIN
    SELECT RAISE(ABORT, 'an execution ends once');
END;

-- No foreign key on execution: a look-up a row is felt at 100,000 rows, and the one transaction writes both.
-- key has no affinity, as references.entity_id.
CREATE TABLE sheetgrpc_results (
    execution integer NOT NULL,
    statement_index integer NOT NULL,
    depth integer NOT NULL,
    status integer NOT NULL,
    effect integer NOT NULL,
    key,
    symbol text,
    entity_type text,
    micros integer NOT NULL,
    detail blob,
    PRIMARY KEY (execution, statement_index)
) WITHOUT ROWID;

CREATE INDEX sheetgrpc_results_by_symbol ON sheetgrpc_results (execution, symbol) WHERE symbol IS NOT NULL;

-- the end of an execution's results, as no foreign key sees to it
CREATE TRIGGER sheetgrpc_executions_take_results AFTER DELETE ON sheetgrpc_executions
BEGIN
    DELETE FROM sheetgrpc_results WHERE execution = OLD.number;
END;

-- The unique key prevents one request id from taking effect twice.
CREATE TABLE sheetgrpc_replies (
    caller text NOT NULL,
    method text NOT NULL,
    target text NOT NULL,
    request_id text NOT NULL,
    session_id text NOT NULL,
    execution_id text NOT NULL,
    expires_at integer NOT NULL,
    fingerprint blob NOT NULL,
    reply blob NOT NULL,
    PRIMARY KEY (caller, method, target, request_id)
);

CREATE INDEX sheetgrpc_replies_by_expiry ON sheetgrpc_replies (expires_at);
