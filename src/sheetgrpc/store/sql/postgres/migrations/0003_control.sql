-- Control: the queue, plans, whose things are, approvals, tasks, several servers on one database.

-- The queue: who is first, what waits for another attempt, a receipt for each attempt, replays, and how the queue stands.

ALTER TABLE sheetgrpc.executions
    -- higher is sooner
    ADD COLUMN priority integer NOT NULL DEFAULT 0,
    -- a queued execution is not begun before then; 0 for at once
    ADD COLUMN next_attempt_at bigint NOT NULL DEFAULT 0,
    -- how often it was tried again, and how often it was put off: for sums over all of them
    ADD COLUMN retry_count integer NOT NULL DEFAULT 0,
    ADD COLUMN deferral_count integer NOT NULL DEFAULT 0,
    -- the execution that this one does again; '' for none
    ADD COLUMN replay_of text COLLATE "C" NOT NULL DEFAULT '';

-- who is next
CREATE INDEX executions_waiting ON sheetgrpc.executions (priority DESC, submitted_at, id) WHERE state = 'QUEUED';

-- prevents one execution from being replayed twice
CREATE UNIQUE INDEX executions_replays ON sheetgrpc.executions (replay_of) WHERE replay_of <> '';

-- dead letters, newest first
CREATE INDEX executions_failed ON sheetgrpc.executions (submitted_at, id) WHERE state = 'FAILED';

-- PRIMARY KEY: prevents a second receipt for one attempt.
CREATE TABLE sheetgrpc.execution_receipts (
    execution_id text COLLATE "C" NOT NULL REFERENCES sheetgrpc.executions (id) ON DELETE CASCADE,
    epoch bigint NOT NULL,
    outcome text NOT NULL,
    body bytea NOT NULL,
    PRIMARY KEY (execution_id, epoch),
    -- prevents a receipt for an attempt that nobody began
    CHECK (epoch >= 1),
    -- prevents outcomes that this schema's readers cannot name
    CHECK (outcome IN ('SUCCEEDED', 'PARTIAL', 'ROLLED_BACK', 'FAILED', 'CANCELLED', 'TIMED_OUT', 'INTERRUPTED', 'RETRIED', 'DEFERRED'))
);

-- prevents a receipt from changing once it was written
CREATE TRIGGER execution_receipts_stay BEFORE UPDATE ON sheetgrpc.execution_receipts
FOR EACH ROW EXECUTE FUNCTION sheetgrpc.refuse_change();

-- How the queue stands. CHECK: prevents a second row, and modes that this schema's readers cannot name.
CREATE TABLE sheetgrpc.queue (
    one integer PRIMARY KEY CHECK (one = 1),
    mode text NOT NULL CHECK (mode IN ('RUNNING', 'HOLD', 'REJECT', 'DRAIN')),
    changed_by text NOT NULL,
    changed_at bigint NOT NULL
);

INSERT INTO sheetgrpc.queue (one, mode, changed_by, changed_at) VALUES (1, 'RUNNING', '', 0);

-- Dry runs (PlanSheet), and what statements do to rows: the effects of plans and of the executions that were bound to one.

-- true: always rolled back; says nothing of its session, which stays as it is while this runs
ALTER TABLE sheetgrpc.executions ADD COLUMN dry_run boolean NOT NULL DEFAULT false;

DROP INDEX sheetgrpc.executions_unfinished;

-- the queue, however long the history is
CREATE INDEX executions_unfinished ON sheetgrpc.executions (session_id) WHERE state IN ('QUEUED', 'RUNNING');

-- prevents two unfinished executions of one session, whoever loses the race; dry runs may be as many as are asked for
CREATE UNIQUE INDEX executions_one_a_session ON sheetgrpc.executions (session_id)
WHERE state IN ('QUEUED', 'RUNNING') AND NOT dry_run;

-- Effects by hundreds, compressed: `first` is the position of the first of them, by statement index. `kinds` tells of
-- each table which kinds are among them, as JSON, so that a filter leaves pieces unread.
-- No foreign key on execution_id, as for results: both go in pieces.
CREATE TABLE sheetgrpc.effects (
    execution_id text COLLATE "C" NOT NULL,
    first integer NOT NULL,
    kinds text NOT NULL,
    body bytea NOT NULL,
    PRIMARY KEY (execution_id, first)
);

-- Whose a session is: for every other caller neither it, nor its labels, nor its executions are there. And approvals of
-- plans by other callers than whoever asks.

-- The caller that created it; of one from before callers were told apart, `anonymous`.
ALTER TABLE sheetgrpc.sessions ADD COLUMN owner text COLLATE "C" NOT NULL DEFAULT 'anonymous';

-- lists, newest first: each reads its caller's sessions and no others
CREATE INDEX sessions_by_owner ON sheetgrpc.sessions (owner, created_at, id);

-- The owner of its session, kept here too for lists over all of a caller's sessions.
ALTER TABLE sheetgrpc.executions ADD COLUMN owner text COLLATE "C" NOT NULL DEFAULT 'anonymous';

CREATE INDEX executions_by_owner ON sheetgrpc.executions (owner, submitted_at, id);

-- PRIMARY KEY: prevents one label of an owner from meaning two sessions. Others may have labels of the same name.
ALTER TABLE sheetgrpc.labels ADD COLUMN owner text COLLATE "C" NOT NULL DEFAULT 'anonymous';
ALTER TABLE sheetgrpc.labels DROP CONSTRAINT labels_pkey;
ALTER TABLE sheetgrpc.labels ADD PRIMARY KEY (label, owner);

-- An approval of one plan of one session; revision counts its changes, and each is compare-and-set by it.
CREATE TABLE sheetgrpc.approvals (
    id text COLLATE "C" PRIMARY KEY,
    session_id text COLLATE "C" NOT NULL REFERENCES sheetgrpc.sessions (id) ON DELETE CASCADE,
    execution_id text COLLATE "C" NOT NULL,
    sheet_id text COLLATE "C" NOT NULL,
    plan_digest text NOT NULL,
    requested_by text COLLATE "C" NOT NULL,
    requested_at bigint NOT NULL,
    state text NOT NULL,
    decided_at bigint,
    -- the execution that was committed with it
    used_by text COLLATE "C" NOT NULL,
    revision bigint NOT NULL,
    body bytea NOT NULL,
    -- prevents a state that nobody decided, and a decision without its time
    CHECK (state IN ('PENDING', 'APPROVED', 'REJECTED') AND (state = 'PENDING') = (decided_at IS NULL)),
    -- prevents the use of what was not approved
    CHECK (used_by = '' OR state = 'APPROVED')
);

CREATE INDEX approvals_by_age ON sheetgrpc.approvals (requested_at, id);
CREATE INDEX approvals_by_session ON sheetgrpc.approvals (session_id, requested_at, id);

-- prevents one execution from using two
CREATE UNIQUE INDEX approvals_by_use ON sheetgrpc.approvals (used_by) WHERE used_by <> '';

-- PRIMARY KEY: prevents one approver from counting twice.
CREATE TABLE sheetgrpc.approval_decisions (
    approval_id text COLLATE "C" NOT NULL REFERENCES sheetgrpc.approvals (id) ON DELETE CASCADE,
    approver text COLLATE "C" NOT NULL,
    at bigint NOT NULL,
    body bytea NOT NULL,
    PRIMARY KEY (approval_id, approver)
);

-- prevents a decision from being taken back, and a second use
CREATE TRIGGER approvals_end_once BEFORE UPDATE ON sheetgrpc.approvals
FOR EACH ROW WHEN ((OLD.state <> 'PENDING' AND NEW.state <> OLD.state) OR OLD.used_by <> '')
EXECUTE FUNCTION sheetgrpc.refuse_change();

-- prevents history from being rewritten
CREATE TRIGGER approval_decisions_are_final BEFORE UPDATE ON sheetgrpc.approval_decisions
FOR EACH ROW EXECUTE FUNCTION sheetgrpc.refuse_change();

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

-- Several servers on one database: whose a claimed execution is, and until when; who asked for its end; how far it is.

-- Leases run by the database's clock, which is one for all servers. What was claimed before there were leases is nobody's.
ALTER TABLE sheetgrpc.executions
    ADD COLUMN replica text COLLATE "C" NOT NULL DEFAULT '',
    ADD COLUMN lease_until timestamptz NOT NULL DEFAULT '-infinity',
    ADD COLUMN cancelled_by text NOT NULL DEFAULT '',
    ADD COLUMN cancelled_at bigint;

-- The few that run: renewed by their replica, looked through for those that nobody renews.
CREATE INDEX executions_running ON sheetgrpc.executions (replica) WHERE state = 'RUNNING';

-- What watchers on other servers are told of a run. Unlogged: after a crash of the database nothing of the run is there
-- either.
CREATE UNLOGGED TABLE sheetgrpc.progress (
    execution_id text COLLATE "C" NOT NULL,
    epoch bigint NOT NULL,
    last_sequence bigint NOT NULL,
    written_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    body bytea NOT NULL,
    PRIMARY KEY (execution_id, epoch, last_sequence)
);

CREATE INDEX progress_by_age ON sheetgrpc.progress (written_at);
