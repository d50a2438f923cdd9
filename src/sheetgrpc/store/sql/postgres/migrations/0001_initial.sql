-- Sessions with their event log and how long they live, sheets with their analysis, executions with their results, stored replies.
-- Times are microseconds since 1970 UTC. A body is the JSON of the record; the columns beside it are what is searched.
-- Texts compare byte by byte (COLLATE "C"), as Python does, and hold no NUL: see store/postgres/texts.py. Keys of rows
-- are kept as JSON texts: an integer key and a text key that looks like it stay two things.

-- incarnation: names this database; a restored copy is given another, so that what was handed out before is not trusted.
CREATE TABLE sheetgrpc.meta (
    name text PRIMARY KEY,
    value text NOT NULL
);

CREATE TABLE sheetgrpc.sessions (
    id text COLLATE "C" PRIMARY KEY,
    created_at bigint NOT NULL,
    state text NOT NULL,
    lifecycle text NOT NULL,
    version bigint NOT NULL,
    role text COLLATE "C" NOT NULL,
    task_id text COLLATE "C" NOT NULL,
    parent_id text COLLATE "C" NOT NULL,
    symbol_count bigint NOT NULL DEFAULT 0,
    symbols bytea,
    -- when something last happened to the session: an accepted command, a renewal, a watch that was open, a run's end
    active_at bigint NOT NULL,
    -- for how long it lives without a sign of life, in microseconds; NULL: as long as the server keeps sessions
    lease bigint,
    -- when it ended; NULL while it is alive; says how long a tombstone is still to be kept
    ended_at bigint,
    -- what its caller said of itself, for lists that ask for it; '' for nothing
    client_name text COLLATE "C" NOT NULL,
    client_target text COLLATE "C" NOT NULL,
    -- the first event that is kept; those before were trimmed
    oldest_sequence bigint NOT NULL DEFAULT 1,
    -- the session as it was after the last event that was trimmed: this and the events kept fold to the body
    base bytea,
    -- true: the session is on its way out; nothing finds it any more, and what it leaves is deleted piece by piece
    purged boolean NOT NULL DEFAULT false,
    body bytea NOT NULL,
    -- prevents ids that a look-up in upper case or by prefix would miss
    CHECK (length(id) = 26 AND id = upper(id)),
    -- prevents a session without its first event
    CHECK (version >= 1),
    -- prevents states that this schema's readers cannot name
    CHECK (state IN ('EMPTY', 'SCOPED', 'TEMPLATED', 'GENERATED', 'PARSED', 'RESOLVING', 'READY', 'EXECUTING', 'EXECUTED')),
    CHECK (lifecycle IN ('PENDING', 'ACTIVE', 'COMPLETED', 'FAILED', 'EXPIRED')),
    -- prevents a session that ends while its sheet runs
    CHECK (state <> 'EXECUTING' OR lifecycle = 'ACTIVE'),
    -- prevents a session of which no event is kept
    CHECK (oldest_sequence BETWEEN 1 AND version),
    -- prevents a trimmed log that nothing can be folded from
    CHECK ((base IS NULL) = (oldest_sequence = 1)),
    -- prevents a session from going that has not ended
    CHECK (NOT purged OR lifecycle IN ('COMPLETED', 'FAILED', 'EXPIRED'))
);

-- lists, newest first
CREATE INDEX sessions_by_age ON sheetgrpc.sessions (created_at, id);

-- An index for every filter of a list that names something: a page of the few sessions that match is read from the
-- index, however many there are that do not. Partial, because most sessions leave most of these empty: they pay nothing.
CREATE INDEX sessions_by_client_name ON sheetgrpc.sessions (client_name, created_at, id) WHERE client_name <> '';
CREATE INDEX sessions_by_client_target ON sheetgrpc.sessions (client_target, created_at, id) WHERE client_target <> '';
CREATE INDEX sessions_by_role ON sheetgrpc.sessions (role, created_at, id) WHERE role <> '';
CREATE INDEX sessions_by_task ON sheetgrpc.sessions (task_id, created_at, id) WHERE task_id <> '';
CREATE INDEX sessions_by_parent ON sheetgrpc.sessions (parent_id, created_at, id) WHERE parent_id <> '';

-- The next leases to run out, soonest first; lease beside it for the grace after a start. A session that executes does
-- not expire, so it is not in here.
CREATE INDEX sessions_by_lease ON sheetgrpc.sessions ((active_at + lease), lease)
WHERE lease IS NOT NULL AND ended_at IS NULL AND state <> 'EXECUTING';

-- The live sessions that nothing has happened to for longest; lease beside it, as only those without one end by it.
CREATE INDEX sessions_by_activity ON sheetgrpc.sessions (active_at, lease)
WHERE ended_at IS NULL AND state <> 'EXECUTING';

-- The tombstones, oldest end first.
CREATE INDEX sessions_by_end ON sheetgrpc.sessions (ended_at) WHERE ended_at IS NOT NULL AND NOT purged;

-- What was left behind by a purge that is under way, or was when the server stopped.
CREATE INDEX sessions_purged ON sheetgrpc.sessions (id) WHERE purged;

-- Logs long enough to be trimmed; a hundred events are below every setting, so most sessions are never in here.
CREATE INDEX sessions_with_long_logs ON sheetgrpc.sessions (id)
WHERE ended_at IS NULL AND version - oldest_sequence >= 100;

-- PRIMARY KEY: prevents one label from meaning two sessions.
CREATE TABLE sheetgrpc.labels (
    label text COLLATE "C" PRIMARY KEY,
    session_id text COLLATE "C" NOT NULL REFERENCES sheetgrpc.sessions (id) ON DELETE CASCADE
);

CREATE INDEX labels_by_session ON sheetgrpc.labels (session_id);

-- prevents history from being rewritten, and snapshots and sheets from changing under what was made from them
CREATE FUNCTION sheetgrpc.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% are never changed', TG_TABLE_NAME;
END;
$$;

-- PRIMARY KEY: prevents two events with one sequence, whoever writes them.
CREATE TABLE sheetgrpc.events (
    session_id text COLLATE "C" NOT NULL REFERENCES sheetgrpc.sessions (id) ON DELETE CASCADE,
    sequence bigint NOT NULL,
    type text NOT NULL,
    body bytea NOT NULL,
    PRIMARY KEY (session_id, sequence),
    -- prevents a log that does not begin at 1
    CHECK (sequence >= 1)
);

CREATE TRIGGER events_are_final BEFORE UPDATE ON sheetgrpc.events
FOR EACH ROW EXECUTE FUNCTION sheetgrpc.refuse_change();

CREATE TABLE sheetgrpc.scopes (
    id text COLLATE "C" PRIMARY KEY,
    session_id text COLLATE "C" NOT NULL REFERENCES sheetgrpc.sessions (id) ON DELETE CASCADE,
    body bytea NOT NULL
);

CREATE INDEX scopes_by_session ON sheetgrpc.scopes (session_id);

CREATE TRIGGER scopes_are_final BEFORE UPDATE ON sheetgrpc.scopes
FOR EACH ROW EXECUTE FUNCTION sheetgrpc.refuse_change();

CREATE TABLE sheetgrpc.sheets (
    id text COLLATE "C" PRIMARY KEY,
    session_id text COLLATE "C" NOT NULL REFERENCES sheetgrpc.sessions (id) ON DELETE CASCADE,
    digest text NOT NULL,
    statement_count integer NOT NULL,
    created_at bigint NOT NULL,
    scope_id text COLLATE "C" NOT NULL,
    template_statements integer NOT NULL,
    source bytea NOT NULL
);

CREATE INDEX sheets_by_session ON sheetgrpc.sheets (session_id);

CREATE TRIGGER sheets_are_final BEFORE UPDATE ON sheetgrpc.sheets
FOR EACH ROW EXECUTE FUNCTION sheetgrpc.refuse_change();

CREATE TABLE sheetgrpc.analyses (
    sheet_id text COLLATE "C" PRIMARY KEY REFERENCES sheetgrpc.sheets (id) ON DELETE CASCADE,
    body bytea NOT NULL
);

-- No foreign keys on diagnostics, references and results: a look-up a row is felt at 100,000 rows, and the one
-- transaction writes both sides. A trigger each sees to their end.
CREATE TABLE sheetgrpc.diagnostics (
    sheet_id text COLLATE "C" NOT NULL,
    position integer NOT NULL,
    body bytea NOT NULL,
    PRIMARY KEY (sheet_id, position)
);

CREATE TABLE sheetgrpc.references (
    sheet_id text COLLATE "C" NOT NULL,
    position integer NOT NULL,
    ref_id text COLLATE "C" NOT NULL,
    entity_type text NOT NULL,
    entity_id text COLLATE "C",
    body bytea NOT NULL,
    PRIMARY KEY (sheet_id, position)
);

-- prevents one ref_id from meaning two references of a sheet
CREATE UNIQUE INDEX references_by_ref_id ON sheetgrpc.references (sheet_id, ref_id);

CREATE INDEX references_open ON sheetgrpc.references (sheet_id, position) WHERE entity_id IS NULL;

CREATE FUNCTION sheetgrpc.take_findings() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM sheetgrpc.diagnostics WHERE sheet_id = OLD.id;
    DELETE FROM sheetgrpc.references WHERE sheet_id = OLD.id;
    RETURN NULL;
END;
$$;

CREATE TRIGGER sheets_take_findings AFTER DELETE ON sheetgrpc.sheets
FOR EACH ROW EXECUTE FUNCTION sheetgrpc.take_findings();

CREATE TABLE sheetgrpc.executions (
    id text COLLATE "C" PRIMARY KEY,
    session_id text COLLATE "C" NOT NULL REFERENCES sheetgrpc.sessions (id) ON DELETE CASCADE,
    sheet_id text COLLATE "C" NOT NULL REFERENCES sheetgrpc.sheets (id) ON DELETE CASCADE,
    submitted_at bigint NOT NULL,
    state text NOT NULL,
    epoch bigint NOT NULL,
    body bytea NOT NULL,
    -- prevents what lives in a process's memory only (CANCELLING, COMMITTING) from outliving it
    CHECK (state IN ('QUEUED', 'RUNNING', 'SUCCEEDED', 'PARTIAL', 'ROLLED_BACK', 'FAILED', 'CANCELLED', 'TIMED_OUT', 'INTERRUPTED')),
    -- prevents a run that nobody claimed
    CHECK (state <> 'RUNNING' OR epoch >= 1)
);

-- prevents two unfinished executions of one session, whoever loses the race
CREATE UNIQUE INDEX executions_unfinished ON sheetgrpc.executions (session_id) WHERE state IN ('QUEUED', 'RUNNING');

CREATE INDEX executions_by_age ON sheetgrpc.executions (submitted_at, id);
CREATE INDEX executions_by_session ON sheetgrpc.executions (session_id, submitted_at, id);
CREATE INDEX executions_by_sheet ON sheetgrpc.executions (sheet_id);

-- prevents an outcome from changing once it was told
CREATE TRIGGER executions_end_once BEFORE UPDATE ON sheetgrpc.executions
FOR EACH ROW WHEN (OLD.state NOT IN ('QUEUED', 'RUNNING')) EXECUTE FUNCTION sheetgrpc.refuse_change();

CREATE TABLE sheetgrpc.results (
    execution_id text COLLATE "C" NOT NULL,
    statement_index integer NOT NULL,
    depth integer NOT NULL,
    status smallint NOT NULL,
    effect smallint NOT NULL,
    key text COLLATE "C",
    symbol text COLLATE "C",
    entity_type text,
    micros integer NOT NULL,
    detail bytea,
    PRIMARY KEY (execution_id, statement_index)
);

CREATE INDEX results_by_symbol ON sheetgrpc.results (execution_id, symbol) WHERE symbol IS NOT NULL;

-- Results whose execution is gone. There may be 200,000 of one execution: too many for the transaction that takes it.
CREATE TABLE sheetgrpc.leavings (
    execution_id text COLLATE "C" PRIMARY KEY
);

-- the end of an execution's results, as no foreign key sees to it: later, in pieces
CREATE FUNCTION sheetgrpc.leave_results() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO sheetgrpc.leavings (execution_id) VALUES (OLD.id);
    RETURN NULL;
END;
$$;

CREATE TRIGGER executions_leave_results AFTER DELETE ON sheetgrpc.executions
FOR EACH ROW EXECUTE FUNCTION sheetgrpc.leave_results();

-- The unique key prevents one request id from taking effect twice.
CREATE TABLE sheetgrpc.replies (
    caller text COLLATE "C" NOT NULL,
    method text COLLATE "C" NOT NULL,
    target text COLLATE "C" NOT NULL,
    request_id text COLLATE "C" NOT NULL,
    session_id text COLLATE "C" NOT NULL,
    execution_id text COLLATE "C" NOT NULL,
    expires_at bigint NOT NULL,
    fingerprint bytea NOT NULL,
    reply bytea NOT NULL,
    PRIMARY KEY (caller, method, target, request_id)
);

CREATE INDEX replies_by_expiry ON sheetgrpc.replies (expires_at);
