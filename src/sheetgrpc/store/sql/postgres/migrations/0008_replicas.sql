-- Several servers on one database: whose a claimed execution is, and until when; who asked for its end; how far it is.

-- Leases run by the database's clock, which is one for all servers. What was claimed before there were leases is nobody's.
ALTER TABLE sheetgrpc.executions
    ADD COLUMN replica text COLLATE "C" NOT NULL DEFAULT '',
    ADD COLUMN lease_until timestamptz NOT NULL DEFAULT '-infinity',
    ADD COLUMN cancelled_by text NOT NULL DEFAULT '',
    ADD COLUMN cancelled_at bigint;

-- The few that run: renewed by their replica, looked through for those that nobody renews.
CREATE INDEX executions_running ON sheetgrpc.executions (replica) WHERE state = 'RUNNING';

-- What watchers on other servers are told of a run. Unlogged: after a crash of the database nothing of the run is there
-- either.
CREATE UNLOGGED TABLE sheetgrpc.progress (
    execution_id text COLLATE "C" NOT NULL,
    epoch bigint NOT NULL,
    last_sequence bigint NOT NULL,
    written_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    body bytea NOT NULL,
    PRIMARY KEY (execution_id, epoch, last_sequence)
);

CREATE INDEX progress_by_age ON sheetgrpc.progress (written_at);
