-- Idle sessions by the minute, for a sweep looked through an hour of them; owners' lists from their index alone.

DROP INDEX sheetgrpc_sessions_by_activity;

-- The minute of active_at, since 1970. The index of idle sessions has this and not the time itself, which every command
-- changes: most commands write no page of it.
ALTER TABLE sheetgrpc_sessions ADD COLUMN active_minute integer NOT NULL DEFAULT 0;

UPDATE sheetgrpc_sessions SET active_minute = active_at / 60000000;

ALTER TABLE sheetgrpc_sessions DROP COLUMN active_hour;

-- The live sessions that nothing has happened to for longest; lease beside it, as only those without one end by it.
CREATE INDEX sheetgrpc_sessions_by_activity ON sheetgrpc_sessions (active_minute, lease)
WHERE ended_at IS NULL AND state <> 'EXECUTING';

DROP INDEX sheetgrpc_sessions_by_owner;

-- lists, newest first: each reads its caller's sessions and no others; state and lifecycle so that a filter reads the
-- index alone
CREATE INDEX sheetgrpc_sessions_by_owner ON sheetgrpc_sessions (owner, created_at, id, state, lifecycle);

DROP INDEX sheetgrpc_executions_by_owner;

CREATE INDEX sheetgrpc_executions_by_owner ON sheetgrpc_executions (owner, submitted_at, id, state);
