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
