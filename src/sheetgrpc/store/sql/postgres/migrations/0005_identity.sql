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
