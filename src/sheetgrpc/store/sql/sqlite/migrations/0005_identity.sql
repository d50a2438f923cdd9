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
