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
