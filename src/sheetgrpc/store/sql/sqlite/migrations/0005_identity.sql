-- Whose a session is: for every other caller neither it, nor its labels, nor its executions are there.

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
