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
