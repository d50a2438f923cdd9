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
