-- Tasks with the log of their changes; views for people who look with SQL.

CREATE TABLE sheetgrpc_tasks (
    id text PRIMARY KEY,
    created_at integer NOT NULL,
    updated_at integer NOT NULL,
    kind text NOT NULL,
    state text NOT NULL,
    version integer NOT NULL,
    from_role text NOT NULL,
    to_role text NOT NULL,
    description text NOT NULL,
    trace_id text NOT NULL,
    created_by text NOT NULL,
    idempotency_key text NOT NULL,
    session_id text REFERENCES sheetgrpc_sessions (id) ON DELETE CASCADE,
    parent_id text NOT NULL,
    body blob NOT NULL,
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
CREATE INDEX sheetgrpc_tasks_by_age ON sheetgrpc_tasks (created_at, id);
CREATE INDEX sheetgrpc_tasks_by_recipient ON sheetgrpc_tasks (to_role, created_at, id);
CREATE INDEX sheetgrpc_tasks_by_trace ON sheetgrpc_tasks (trace_id, created_at, id);
CREATE INDEX sheetgrpc_tasks_by_session ON sheetgrpc_tasks (session_id, created_at, id) WHERE session_id IS NOT NULL;
CREATE INDEX sheetgrpc_tasks_by_parent ON sheetgrpc_tasks (parent_id, created_at, id) WHERE parent_id <> '';

-- what waits for a decision, oldest first
CREATE INDEX sheetgrpc_tasks_pending_approvals ON sheetgrpc_tasks (created_at, id) WHERE kind = 'APPROVAL' AND state = 'PENDING';

-- what may go one day, longest unchanged first
CREATE INDEX sheetgrpc_tasks_by_change ON sheetgrpc_tasks (updated_at)
WHERE state NOT IN ('PENDING', 'ACTIVE') OR kind = 'NOTIFICATION';

-- prevents a second task under one key of one caller, whoever loses the race
CREATE UNIQUE INDEX sheetgrpc_tasks_by_key ON sheetgrpc_tasks (created_by, idempotency_key) WHERE idempotency_key <> '';

-- prevents a decision from changing once it was told
CREATE TRIGGER sheetgrpc_tasks_end_once BEFORE UPDATE ON sheetgrpc_tasks
WHEN OLD.state NOT IN ('PENDING', 'ACTIVE')
BEGIN
    SELECT RAISE(ABORT, 'a task ends once');
END;

-- PRIMARY KEY: prevents two changes that make one version.
CREATE TABLE sheetgrpc_task_events (
    task_id text NOT NULL REFERENCES sheetgrpc_tasks (id) ON DELETE CASCADE,
    version integer NOT NULL,
    body blob NOT NULL,
    PRIMARY KEY (task_id, version)
) WITHOUT ROWID;

-- prevents history from being rewritten
CREATE TRIGGER sheetgrpc_task_events_are_final BEFORE UPDATE ON sheetgrpc_task_events
BEGIN
    SELECT RAISE(ABORT, 'events are never changed');
END;

-- prevents history from being shortened: it goes with its task
CREATE TRIGGER sheetgrpc_task_events_stay BEFORE DELETE ON sheetgrpc_task_events
WHEN EXISTS (SELECT 1 FROM sheetgrpc_tasks WHERE id = OLD.task_id)
BEGIN
    SELECT RAISE(ABORT, 'events go with their task');
END;

CREATE VIEW sheetgrpc_active_sessions AS
SELECT id, role, task_id, client_name, client_target, state, version, created_at, active_at
FROM sheetgrpc_sessions
WHERE lifecycle = 'ACTIVE' AND purged = 0
ORDER BY active_at DESC, id DESC;

CREATE VIEW sheetgrpc_pending_approvals AS
SELECT id, description, from_role, to_role, trace_id, session_id, parent_id, created_at
FROM sheetgrpc_tasks
WHERE kind = 'APPROVAL' AND state = 'PENDING'
ORDER BY created_at, id;
