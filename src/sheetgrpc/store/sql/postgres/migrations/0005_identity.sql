-- Whose a session is: for every other caller neither it, nor its labels, nor its executions are there.

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
