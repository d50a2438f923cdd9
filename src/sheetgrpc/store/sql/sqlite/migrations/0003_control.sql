-- Control: the queue, plans, whose things are, approvals, tasks. First: what makes a command cheaper.

-- The hour of active_at, since 1970. The index of idle sessions has this and not the time itself, which every command
-- changes: most commands write no page of it.
ALTER TABLE sheetgrpc_sessions ADD COLUMN active_hour integer NOT NULL DEFAULT 0;

UPDATE sheetgrpc_sessions SET active_hour = active_at / 3600000000;

DROP INDEX sheetgrpc_sessions_by_activity;

-- The live sessions that nothing has happened to for longest; lease beside it, as only those without one end by it.
CREATE INDEX sheetgrpc_sessions_by_activity ON sheetgrpc_sessions (active_hour, lease)
WHERE ended_at IS NULL AND state <> 'EXECUTING';

-- 1: the log is long enough to be looked at for trimming. In the index instead of the version, for the same reason.
ALTER TABLE sheetgrpc_sessions ADD COLUMN long_log integer NOT NULL DEFAULT 0;

UPDATE sheetgrpc_sessions SET long_log = version - oldest_sequence >= 100;

DROP INDEX sheetgrpc_sessions_with_long_logs;

-- Logs long enough to be trimmed; a hundred events are below every setting, so most sessions are never in here.
CREATE INDEX sheetgrpc_sessions_with_long_logs ON sheetgrpc_sessions (id) WHERE ended_at IS NULL AND long_log = 1;

-- Replies are deleted in the order in which they were kept, which is that of their rowids.
DROP INDEX sheetgrpc_replies_by_expiry;

-- The queue: who is first, what waits for another attempt, a receipt for each attempt, replays, and how the queue stands.

-- Higher is sooner.
ALTER TABLE sheetgrpc_executions ADD COLUMN priority integer NOT NULL DEFAULT 0;

-- A queued execution is not begun before then; 0 for at once.
ALTER TABLE sheetgrpc_executions ADD COLUMN next_attempt_at integer NOT NULL DEFAULT 0;

-- How often it was tried again, and how often it was put off: for sums over all of them.
ALTER TABLE sheetgrpc_executions ADD COLUMN retry_count integer NOT NULL DEFAULT 0;
ALTER TABLE sheetgrpc_executions ADD COLUMN deferral_count integer NOT NULL DEFAULT 0;

-- The execution that this one does again; "" for none.
ALTER TABLE sheetgrpc_executions ADD COLUMN replay_of text NOT NULL DEFAULT '';

-- who is next
CREATE INDEX sheetgrpc_executions_waiting ON sheetgrpc_executions (priority DESC, submitted_at, id) WHERE state = 'QUEUED';

-- prevents one execution from being replayed twice
CREATE UNIQUE INDEX sheetgrpc_executions_replays ON sheetgrpc_executions (replay_of) WHERE replay_of <> '';

-- dead letters, newest first
CREATE INDEX sheetgrpc_executions_failed ON sheetgrpc_executions (submitted_at, id) WHERE state = 'FAILED';

-- PRIMARY KEY: prevents a second receipt for one attempt.
CREATE TABLE sheetgrpc_execution_receipts (
    execution_id text NOT NULL REFERENCES sheetgrpc_executions (id) ON DELETE CASCADE,
    epoch integer NOT NULL,
    outcome text NOT NULL,
    body blob NOT NULL,
    PRIMARY KEY (execution_id, epoch),
    -- prevents a receipt for an attempt that nobody began
    CHECK (epoch >= 1),
    -- prevents outcomes that this schema's readers cannot name
    CHECK (outcome IN ('SUCCEEDED', 'PARTIAL', 'ROLLED_BACK', 'FAILED', 'CANCELLED', 'TIMED_OUT', 'INTERRUPTED', 'RETRIED', 'DEFERRED'))
) WITHOUT ROWID;

-- prevents a receipt from changing once it was written
CREATE TRIGGER sheetgrpc_execution_receipts_stay BEFORE UPDATE ON sheetgrpc_execution_receipts
BEGIN
    SELECT RAISE(ABORT, 'a receipt stays as it is');
END;

-- How the queue stands. CHECK: prevents a second row, and modes that this schema's readers cannot name.
CREATE TABLE sheetgrpc_queue (
    one integer PRIMARY KEY CHECK (one = 1),
    mode text NOT NULL CHECK (mode IN ('RUNNING', 'HOLD', 'REJECT', 'DRAIN')),
    changed_by text NOT NULL,
    changed_at integer NOT NULL
);

INSERT INTO sheetgrpc_queue (one, mode, changed_by, changed_at) VALUES (1, 'RUNNING', '', 0);

-- Dry runs (PlanSheet), and what statements do to rows: the effects of plans and of the executions that were bound to one.

-- 1: always rolled back; says nothing of its session, which stays as it is while this runs.
ALTER TABLE sheetgrpc_executions ADD COLUMN dry_run integer NOT NULL DEFAULT 0;

DROP INDEX sheetgrpc_executions_unfinished;

-- the queue, however long the history is
CREATE INDEX sheetgrpc_executions_unfinished ON sheetgrpc_executions (session_id) WHERE state IN ('QUEUED', 'RUNNING');

-- prevents two unfinished executions of one session, whoever loses the race; dry runs may be as many as are asked for
CREATE UNIQUE INDEX sheetgrpc_executions_one_a_session ON sheetgrpc_executions (session_id)
WHERE state IN ('QUEUED', 'RUNNING') AND dry_run = 0;

-- Effects by hundreds, compressed: `first` is the position of the first of them, by statement index. `kinds` tells of
-- each table which kinds are among them, as JSON, so that a filter leaves pieces unread.
-- No foreign key on execution, as for results: both go in pieces.
CREATE TABLE sheetgrpc_effects (
    execution integer NOT NULL,
    first integer NOT NULL,
    kinds text NOT NULL,
    body blob NOT NULL,
    PRIMARY KEY (execution, first)
);

-- Whose a session is: for every other caller neither it, nor its labels, nor its executions are there. And approvals of
-- plans by other callers than whoever asks.

-- The caller that created it; of one from before callers were told apart, `anonymous`.
ALTER TABLE sheetgrpc_sessions ADD COLUMN owner text NOT NULL DEFAULT 'anonymous';

-- lists, newest first: each reads its caller's sessions and no others
CREATE INDEX sheetgrpc_sessions_by_owner ON sheetgrpc_sessions (owner, created_at, id);

-- The owner of its session, kept here too for lists over all of a caller's sessions.
ALTER TABLE sheetgrpc_executions ADD COLUMN owner text NOT NULL DEFAULT 'anonymous';

CREATE INDEX sheetgrpc_executions_by_owner ON sheetgrpc_executions (owner, submitted_at, id);

-- PRIMARY KEY: prevents one label of an owner from meaning two sessions. Others may have labels of the same name.
CREATE TABLE sheetgrpc_owned_labels (
    label text NOT NULL,
    owner text NOT NULL,
    session_id text NOT NULL REFERENCES sheetgrpc_sessions (id) ON DELETE CASCADE,
    PRIMARY KEY (label, owner)
) WITHOUT ROWID;

INSERT INTO sheetgrpc_owned_labels (label, owner, session_id)
SELECT label, 'anonymous', session_id FROM sheetgrpc_labels;

DROP TABLE sheetgrpc_labels;

ALTER TABLE sheetgrpc_owned_labels RENAME TO sheetgrpc_labels;

CREATE INDEX sheetgrpc_labels_by_session ON sheetgrpc_labels (session_id);

-- An approval of one plan of one session; revision counts its changes, and each is compare-and-set by it.
CREATE TABLE sheetgrpc_approvals (
    id text PRIMARY KEY,
    session_id text NOT NULL REFERENCES sheetgrpc_sessions (id) ON DELETE CASCADE,
    execution_id text NOT NULL,
    sheet_id text NOT NULL,
    plan_digest text NOT NULL,
    requested_by text NOT NULL,
    requested_at integer NOT NULL,
    state text NOT NULL,
    decided_at integer,
    -- the execution that was committed with it
    used_by text NOT NULL,
    revision integer NOT NULL,
    body blob NOT NULL,
    -- prevents a state that nobody decided, and a decision without its time
    CHECK (state IN ('PENDING', 'APPROVED', 'REJECTED') AND (state = 'PENDING') = (decided_at IS NULL)),
    -- prevents the use of what was not approved
    CHECK (used_by = '' OR state = 'APPROVED')
);

CREATE INDEX sheetgrpc_approvals_by_age ON sheetgrpc_approvals (requested_at, id);
CREATE INDEX sheetgrpc_approvals_by_session ON sheetgrpc_approvals (session_id, requested_at, id);

-- prevents one execution from using two
CREATE UNIQUE INDEX sheetgrpc_approvals_by_use ON sheetgrpc_approvals (used_by) WHERE used_by <> '';

-- PRIMARY KEY: prevents one approver from counting twice.
CREATE TABLE sheetgrpc_approval_decisions (
    approval_id text NOT NULL REFERENCES sheetgrpc_approvals (id) ON DELETE CASCADE,
    approver text NOT NULL,
    at integer NOT NULL,
    body text NOT NULL,
    PRIMARY KEY (approval_id, approver)
) WITHOUT ROWID;

-- prevents a decision from being taken back, and a second use
CREATE TRIGGER sheetgrpc_approvals_end_once BEFORE UPDATE ON sheetgrpc_approvals
WHEN (OLD.state <> 'PENDING' AND NEW.state <> OLD.state) OR OLD.used_by <> ''
BEGIN
    SELECT RAISE(ABORT, 'approvals are decided and used once');
END;

-- prevents history from being rewritten
CREATE TRIGGER sheetgrpc_approval_decisions_are_final BEFORE UPDATE ON sheetgrpc_approval_decisions
BEGIN
    SELECT RAISE(ABORT, 'decisions are never changed');
END;

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
