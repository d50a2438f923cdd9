-- How long a session lives: signs of life, leases, ends, purges, and logs that are trimmed at the front.

-- When something last happened to the session: an accepted command, a renewal, a watch that was open, the end of an
-- execution. Of a session from before this column, when its last event was written.
ALTER TABLE sheetgrpc_sessions ADD COLUMN active_at integer NOT NULL DEFAULT 0;

-- For how long it lives without a sign of life, in microseconds; NULL: as long as the server keeps sessions.
ALTER TABLE sheetgrpc_sessions ADD COLUMN lease integer;

-- When it ended; NULL while it is alive. Says how long a tombstone is still to be kept.
ALTER TABLE sheetgrpc_sessions ADD COLUMN ended_at integer;

-- What its caller said of itself, for lists that ask for it; "" for nothing.
ALTER TABLE sheetgrpc_sessions ADD COLUMN client_name text NOT NULL DEFAULT '';
ALTER TABLE sheetgrpc_sessions ADD COLUMN client_target text NOT NULL DEFAULT '';

-- The first event that is kept; those before were trimmed.
-- CHECK: prevents a session of which no event is kept.
ALTER TABLE sheetgrpc_sessions ADD COLUMN oldest_sequence integer NOT NULL DEFAULT 1
    CHECK (oldest_sequence BETWEEN 1 AND version);

-- The session as it was after the last event that was trimmed, as JSON: this and the events kept fold to the body.
-- CHECK: prevents a trimmed log that nothing can be folded from.
ALTER TABLE sheetgrpc_sessions ADD COLUMN base blob CHECK ((base IS NULL) = (oldest_sequence = 1));

-- 1: the session is on its way out. Nothing finds it any more, and what it leaves is deleted piece by piece.
-- CHECK: prevents a session from going that has not ended.
ALTER TABLE sheetgrpc_sessions ADD COLUMN purged integer NOT NULL DEFAULT 0
    CHECK (purged = 0 OR (purged = 1 AND lifecycle IN ('COMPLETED', 'FAILED', 'EXPIRED')));

UPDATE sheetgrpc_sessions
SET active_at = json_extract(CAST(body AS text), '$.updated_at'),
    ended_at = json_extract(CAST(body AS text), '$.ended_at'),
    client_name = coalesce(json_extract(CAST(body AS text), '$.client.name'), ''),
    client_target = coalesce(json_extract(CAST(body AS text), '$.client.target'), '');

-- The next leases to run out, soonest first; lease beside it for the grace after a start. A session that executes does
-- not expire, so it is not in here.
CREATE INDEX sheetgrpc_sessions_by_lease ON sheetgrpc_sessions (active_at + lease, lease)
WHERE lease IS NOT NULL AND ended_at IS NULL AND state <> 'EXECUTING';

-- The live sessions that nothing has happened to for longest; lease beside it, as only those without one end by it.
CREATE INDEX sheetgrpc_sessions_by_activity ON sheetgrpc_sessions (active_at, lease)
WHERE ended_at IS NULL AND state <> 'EXECUTING';

-- The tombstones, oldest end first.
CREATE INDEX sheetgrpc_sessions_by_end ON sheetgrpc_sessions (ended_at) WHERE ended_at IS NOT NULL AND purged = 0;

-- What was left behind by a purge that is under way, or was when the server stopped.
CREATE INDEX sheetgrpc_sessions_purged ON sheetgrpc_sessions (id) WHERE purged = 1;

-- Logs long enough to be trimmed; a hundred events are below every setting, so most sessions are never in here.
CREATE INDEX sheetgrpc_sessions_with_long_logs ON sheetgrpc_sessions (id)
WHERE ended_at IS NULL AND version - oldest_sequence >= 100;

-- An index for every filter of a list that names something: a page of the few sessions that match is read from the
-- index, however many there are that do not. Partial, because most sessions leave most of these empty: they pay nothing.
CREATE INDEX sheetgrpc_sessions_by_client_name ON sheetgrpc_sessions (client_name, created_at, id) WHERE client_name <> '';
CREATE INDEX sheetgrpc_sessions_by_client_target ON sheetgrpc_sessions (client_target, created_at, id) WHERE client_target <> '';
CREATE INDEX sheetgrpc_sessions_by_role ON sheetgrpc_sessions (role, created_at, id) WHERE role <> '';
CREATE INDEX sheetgrpc_sessions_by_task ON sheetgrpc_sessions (task_id, created_at, id) WHERE task_id <> '';
CREATE INDEX sheetgrpc_sessions_by_parent ON sheetgrpc_sessions (parent_id, created_at, id) WHERE parent_id <> '';

-- Results whose execution is gone. There may be 200,000 of one execution: too many for the transaction that takes it.
CREATE TABLE sheetgrpc_leavings (
    execution integer PRIMARY KEY
);

DROP TRIGGER sheetgrpc_executions_take_results;

-- the end of an execution's results, as no foreign key sees to it: later, in pieces
CREATE TRIGGER sheetgrpc_executions_leave_results AFTER DELETE ON sheetgrpc_executions
BEGIN
    INSERT INTO sheetgrpc_leavings (execution) VALUES (OLD.number);
END;
