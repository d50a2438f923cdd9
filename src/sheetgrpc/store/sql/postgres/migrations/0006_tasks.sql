-- Tasks with the log of their changes; views for people who look with SQL.

CREATE TABLE sheetgrpc.tasks (
    id text COLLATE "C" PRIMARY KEY,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    kind text NOT NULL,
    state text NOT NULL,
    version bigint NOT NULL,
    from_role text COLLATE "C" NOT NULL,
    to_role text COLLATE "C" NOT NULL,
    description text NOT NULL,
    trace_id text COLLATE "C" NOT NULL,
    created_by text COLLATE "C" NOT NULL,
    idempotency_key text COLLATE "C" NOT NULL,
    session_id text COLLATE "C" REFERENCES sheetgrpc.sessions (id) ON DELETE CASCADE,
    parent_id text COLLATE "C" NOT NULL,
    body bytea NOT NULL,
    -- prevents ids that a look-up in upper case would miss
    CHECK (length(id) = 26 AND id = upper(id)),
    -- prevents a task without its first event
    CHECK (version >= 1),
    -- prevents kinds and states that this schema's readers cannot name, and states that a kind never has
    CHECK (
        (kind = 'NOTIFICATION' AND state IN ('PENDING', 'COMPLETED', 'CANCELLED'))
        OR (kind = 'APPROVAL' AND state IN ('PENDING', 'CANCELLED', 'APPROVED', 'REJECTED'))
        OR (kind = 'ROUTING' AND state IN ('PENDING', 'ACTIVE', 'COMPLETED', 'FAILED', 'CANCELLED'))
    )
);

-- lists, newest first, and those that leave the fewest
CREATE INDEX tasks_by_age ON sheetgrpc.tasks (created_at, id);
CREATE INDEX tasks_by_recipient ON sheetgrpc.tasks (to_role, created_at, id);
CREATE INDEX tasks_by_trace ON sheetgrpc.tasks (trace_id, created_at, id);
CREATE INDEX tasks_by_session ON sheetgrpc.tasks (session_id, created_at, id) WHERE session_id IS NOT NULL;
CREATE INDEX tasks_by_parent ON sheetgrpc.tasks (parent_id, created_at, id) WHERE parent_id <> '';

-- what waits for a decision, oldest first
CREATE INDEX tasks_pending_approvals ON sheetgrpc.tasks (created_at, id) WHERE kind = 'APPROVAL' AND state = 'PENDING';

-- what may go one day, longest unchanged first
CREATE INDEX tasks_by_change ON sheetgrpc.tasks (updated_at)
WHERE state NOT IN ('PENDING', 'ACTIVE') OR kind = 'NOTIFICATION';

-- prevents a second task under one key of one caller, whoever loses the race
CREATE UNIQUE INDEX tasks_by_key ON sheetgrpc.tasks (created_by, idempotency_key) WHERE idempotency_key <> '';

-- prevents a decision from changing once it was told
CREATE TRIGGER tasks_end_once BEFORE UPDATE ON sheetgrpc.tasks
FOR EACH ROW WHEN (OLD.state NOT IN ('PENDING', 'ACTIVE')) EXECUTE FUNCTION sheetgrpc.refuse_change();

-- PRIMARY KEY: prevents two changes that make one version.
CREATE TABLE sheetgrpc.task_events (
    task_id text COLLATE "C" NOT NULL REFERENCES sheetgrpc.tasks (id) ON DELETE CASCADE,
    version bigint NOT NULL,
    body bytea NOT NULL,
    PRIMARY KEY (task_id, version)
);

-- prevents history from being rewritten
CREATE TRIGGER task_events_are_final BEFORE UPDATE ON sheetgrpc.task_events
FOR EACH ROW EXECUTE FUNCTION sheetgrpc.refuse_change();

-- prevents history from being shortened: it goes with its task
CREATE FUNCTION sheetgrpc.keep_task_event() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM sheetgrpc.tasks WHERE id = OLD.task_id) THEN
        RAISE EXCEPTION 'events go with their task';
    END IF;
    RETURN OLD;
END;
$$;

CREATE TRIGGER task_events_stay BEFORE DELETE ON sheetgrpc.task_events
FOR EACH ROW EXECUTE FUNCTION sheetgrpc.keep_task_event();

CREATE VIEW sheetgrpc.active_sessions AS
SELECT id, role, task_id, client_name, client_target, state, version, created_at, active_at
FROM sheetgrpc.sessions
WHERE lifecycle = 'ACTIVE' AND NOT purged
ORDER BY active_at DESC, id DESC;

CREATE VIEW sheetgrpc.pending_approvals AS
SELECT id, description, from_role, to_role, trace_id, session_id, parent_id, created_at
FROM sheetgrpc.tasks
WHERE kind = 'APPROVAL' AND state = 'PENDING'
ORDER BY created_at, id;
