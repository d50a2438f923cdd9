-- Every fixed query of the PostgreSQL store. `-- name:` begins one; the line after it says what it is for.

-- name: server_version
-- The server's version as a number, such as 150004, and as its text.
SELECT current_setting('server_version_num')::integer, current_setting('server_version');

-- name: create_record
-- Where migrations are recorded, and the row that whoever migrates holds.
CREATE SCHEMA IF NOT EXISTS sheetgrpc;
CREATE TABLE IF NOT EXISTS sheetgrpc.migrations (version integer PRIMARY KEY, name text NOT NULL, applied_at bigint NOT NULL);
CREATE TABLE IF NOT EXISTS sheetgrpc.migration_lock (id integer PRIMARY KEY CHECK (id = 1));
INSERT INTO sheetgrpc.migration_lock (id) VALUES (1) ON CONFLICT DO NOTHING;

-- name: has_record
-- Whether there is a record of migrations at all.
SELECT to_regclass('sheetgrpc.migrations') IS NOT NULL;

-- name: lock_migrations
-- One program migrates, or makes an example's tables, at a time.
SELECT id FROM sheetgrpc.migration_lock WHERE id = 1 FOR UPDATE;

-- name: our_tables
-- All tables in our schema but those of the record.
SELECT tablename
FROM pg_catalog.pg_tables
WHERE schemaname = 'sheetgrpc' AND tablename NOT IN ('migrations', 'migration_lock')
ORDER BY tablename;

-- name: migration_version
-- The newest migration applied, 0 if none was.
SELECT coalesce(max(version), 0) FROM sheetgrpc.migrations;

-- name: add_migration
-- Written in the migration's own transaction.
INSERT INTO sheetgrpc.migrations (version, name, applied_at) VALUES ($1, $2, $3);

-- name: add_meta
-- A fact about this database, if it has none of that name yet.
INSERT INTO sheetgrpc.meta (name, value) VALUES ($1, $2) ON CONFLICT DO NOTHING;

-- name: meta
-- A fact about this database.
SELECT value FROM sheetgrpc.meta WHERE name = $1;

-- name: session
-- One session by its id; of one owner, if that is asked for.
SELECT body, symbol_count, symbols, active_at, oldest_sequence
FROM sheetgrpc.sessions
WHERE id = $1 AND NOT purged AND ($2::text IS NULL OR owner = $2);

-- name: lock_sessions
-- These sessions, held against every other command until the transaction ends; in one order, so that none wait in turn.
-- Rows that refer to them, such as labels, may be added meanwhile. With them comes the reply of a request id, as of before
-- the wait: one that whoever held a session has given is met where this command's own is added.
SELECT s.id, s.body, s.symbol_count, s.symbols, s.active_at, s.oldest_sequence,
    r.fingerprint, r.reply, r.session_id, r.expires_at, r.execution_id
FROM sheetgrpc.sessions AS s
LEFT JOIN sheetgrpc.replies AS r
    ON r.caller = $2 AND r.method = $3 AND r.target = $4 AND r.request_id = $5 AND r.expires_at > $6
WHERE s.id = ANY($1::text[]) AND NOT s.purged
ORDER BY s.id
FOR NO KEY UPDATE OF s;

-- name: session_ids
-- Ids with a prefix, as an index range; one more than is ever listed, so that the reader knows of more.
SELECT id FROM sheetgrpc.sessions
WHERE id >= $1 AND id < $2 AND NOT purged AND ($3::text IS NULL OR owner = $3)
ORDER BY id
LIMIT 11;

-- name: hold_label
-- Who has a label of a session's owner, held against all who want it until the transaction ends. A label that nobody has
-- goes to this session here already: there is no other way to hold what is not there.
INSERT INTO sheetgrpc.labels (label, owner, session_id)
SELECT $1, owner, id FROM sheetgrpc.sessions WHERE id = $2 AND NOT purged
ON CONFLICT (label, owner) DO UPDATE SET session_id = labels.session_id
RETURNING session_id;

-- name: labelled_session
-- The session that a label means to an owner; NULL: to whoever has one of that name.
SELECT s.body, s.symbol_count, s.symbols, s.active_at, s.oldest_sequence
FROM sheetgrpc.labels AS l
JOIN sheetgrpc.sessions AS s ON s.id = l.session_id
WHERE l.label = $1 AND ($2::text IS NULL OR l.owner = $2)
ORDER BY l.owner
LIMIT 1;

-- name: sessions
-- A page of sessions, newest first. Those below are the same from the index of one filter. CASE keeps the other filters
-- out of PostgreSQL's guess at how many rows there are: for a few it would sort them all, and there may be many.
SELECT body, symbol_count, NULL::bytea, active_at, oldest_sequence
FROM sheetgrpc.sessions
WHERE created_at >= $10
    AND (created_at, id) < ($1, $2)
    AND CASE
        WHEN NOT purged
            AND (cardinality($3::text[]) = 0 OR state = ANY($3))
            AND (cardinality($4::text[]) = 0 OR lifecycle = ANY($4))
            AND ($13::text IS NULL OR owner = $13)
            AND ($5::text = '' OR role = $5)
            AND ($6::text = '' OR task_id = $6)
            AND ($7::text = '' OR parent_id = $7)
            AND ($11::text = '' OR client_name = $11)
            AND ($12::text = '' OR client_target = $12)
            AND ($8::text = '' OR id IN (SELECT session_id FROM sheetgrpc.labels WHERE label = $8))
            THEN true
        ELSE false
    END
ORDER BY created_at DESC, id DESC
LIMIT $9;

-- name: sessions_by_owner
-- Those of one owner.
SELECT body, symbol_count, NULL::bytea, active_at, oldest_sequence
FROM sheetgrpc.sessions
WHERE owner = $13
    AND created_at >= $10
    AND (created_at, id) < ($1, $2)
    AND CASE
        WHEN NOT purged
            AND (cardinality($3::text[]) = 0 OR state = ANY($3))
            AND (cardinality($4::text[]) = 0 OR lifecycle = ANY($4))
            AND ($5::text = '' OR role = $5)
            AND ($6::text = '' OR task_id = $6)
            AND ($7::text = '' OR parent_id = $7)
            AND ($11::text = '' OR client_name = $11)
            AND ($12::text = '' OR client_target = $12)
            AND ($8::text = '' OR id IN (SELECT session_id FROM sheetgrpc.labels WHERE label = $8))
            THEN true
        ELSE false
    END
ORDER BY created_at DESC, id DESC
LIMIT $9;

-- name: sessions_by_role
-- Those of a role.
SELECT body, symbol_count, NULL::bytea, active_at, oldest_sequence
FROM sheetgrpc.sessions
WHERE role = $5 AND role <> ''
    AND created_at >= $10
    AND (created_at, id) < ($1, $2)
    AND CASE
        WHEN NOT purged
            AND (cardinality($3::text[]) = 0 OR state = ANY($3))
            AND (cardinality($4::text[]) = 0 OR lifecycle = ANY($4))
            AND ($13::text IS NULL OR owner = $13)
            AND ($6::text = '' OR task_id = $6)
            AND ($7::text = '' OR parent_id = $7)
            AND ($11::text = '' OR client_name = $11)
            AND ($12::text = '' OR client_target = $12)
            AND ($8::text = '' OR id IN (SELECT session_id FROM sheetgrpc.labels WHERE label = $8))
            THEN true
        ELSE false
    END
ORDER BY created_at DESC, id DESC
LIMIT $9;

-- name: sessions_by_client_name
-- Those that a program made.
SELECT body, symbol_count, NULL::bytea, active_at, oldest_sequence
FROM sheetgrpc.sessions
WHERE client_name = $11 AND client_name <> ''
    AND created_at >= $10
    AND (created_at, id) < ($1, $2)
    AND CASE
        WHEN NOT purged
            AND (cardinality($3::text[]) = 0 OR state = ANY($3))
            AND (cardinality($4::text[]) = 0 OR lifecycle = ANY($4))
            AND ($13::text IS NULL OR owner = $13)
            AND ($5::text = '' OR role = $5)
            AND ($6::text = '' OR task_id = $6)
            AND ($7::text = '' OR parent_id = $7)
            AND ($12::text = '' OR client_target = $12)
            AND ($8::text = '' OR id IN (SELECT session_id FROM sheetgrpc.labels WHERE label = $8))
            THEN true
        ELSE false
    END
ORDER BY created_at DESC, id DESC
LIMIT $9;

-- name: sessions_by_client_target
-- Those made for a target.
SELECT body, symbol_count, NULL::bytea, active_at, oldest_sequence
FROM sheetgrpc.sessions
WHERE client_target = $12 AND client_target <> ''
    AND created_at >= $10
    AND (created_at, id) < ($1, $2)
    AND CASE
        WHEN NOT purged
            AND (cardinality($3::text[]) = 0 OR state = ANY($3))
            AND (cardinality($4::text[]) = 0 OR lifecycle = ANY($4))
            AND ($13::text IS NULL OR owner = $13)
            AND ($5::text = '' OR role = $5)
            AND ($6::text = '' OR task_id = $6)
            AND ($7::text = '' OR parent_id = $7)
            AND ($11::text = '' OR client_name = $11)
            AND ($8::text = '' OR id IN (SELECT session_id FROM sheetgrpc.labels WHERE label = $8))
            THEN true
        ELSE false
    END
ORDER BY created_at DESC, id DESC
LIMIT $9;

-- name: sessions_by_task
-- Those of a task.
SELECT body, symbol_count, NULL::bytea, active_at, oldest_sequence
FROM sheetgrpc.sessions
WHERE task_id = $6 AND task_id <> ''
    AND created_at >= $10
    AND (created_at, id) < ($1, $2)
    AND CASE
        WHEN NOT purged
            AND (cardinality($3::text[]) = 0 OR state = ANY($3))
            AND (cardinality($4::text[]) = 0 OR lifecycle = ANY($4))
            AND ($13::text IS NULL OR owner = $13)
            AND ($5::text = '' OR role = $5)
            AND ($7::text = '' OR parent_id = $7)
            AND ($11::text = '' OR client_name = $11)
            AND ($12::text = '' OR client_target = $12)
            AND ($8::text = '' OR id IN (SELECT session_id FROM sheetgrpc.labels WHERE label = $8))
            THEN true
        ELSE false
    END
ORDER BY created_at DESC, id DESC
LIMIT $9;

-- name: sessions_by_parent
-- Those forked from one session.
SELECT body, symbol_count, NULL::bytea, active_at, oldest_sequence
FROM sheetgrpc.sessions
WHERE parent_id = $7 AND parent_id <> ''
    AND created_at >= $10
    AND (created_at, id) < ($1, $2)
    AND CASE
        WHEN NOT purged
            AND (cardinality($3::text[]) = 0 OR state = ANY($3))
            AND (cardinality($4::text[]) = 0 OR lifecycle = ANY($4))
            AND ($13::text IS NULL OR owner = $13)
            AND ($5::text = '' OR role = $5)
            AND ($6::text = '' OR task_id = $6)
            AND ($11::text = '' OR client_name = $11)
            AND ($12::text = '' OR client_target = $12)
            AND ($8::text = '' OR id IN (SELECT session_id FROM sheetgrpc.labels WHERE label = $8))
            THEN true
        ELSE false
    END
ORDER BY created_at DESC, id DESC
LIMIT $9;

-- name: sessions_by_label
-- The one that has a label, or none.
SELECT body, symbol_count, NULL::bytea, active_at, oldest_sequence
FROM sheetgrpc.sessions
WHERE id = (SELECT session_id FROM sheetgrpc.labels WHERE label = $8 AND ($13::text IS NULL OR owner = $13) LIMIT 1)
    AND created_at >= $10
    AND (created_at, id) < ($1, $2)
    AND CASE
        WHEN NOT purged
            AND (cardinality($3::text[]) = 0 OR state = ANY($3))
            AND (cardinality($4::text[]) = 0 OR lifecycle = ANY($4))
            AND ($13::text IS NULL OR owner = $13)
            AND ($5::text = '' OR role = $5)
            AND ($6::text = '' OR task_id = $6)
            AND ($7::text = '' OR parent_id = $7)
            AND ($11::text = '' OR client_name = $11)
            AND ($12::text = '' OR client_target = $12)
            THEN true
        ELSE false
    END
ORDER BY created_at DESC, id DESC
LIMIT $9;

-- name: add_session
-- A new session with its first events.
WITH added AS (
    INSERT INTO sheetgrpc.sessions (
        id, created_at, state, lifecycle, version, role, task_id, parent_id, body, active_at, lease, ended_at,
        client_name, client_target, owner
    )
    VALUES ($1, $2::bigint, $3, $4, $5, $6, $7, $8, $9, coalesce($12::bigint, $2::bigint), $13, $14, $15, $16, $17)
)
INSERT INTO sheetgrpc.events (session_id, sequence, type, body)
SELECT $1, $5 - cardinality($10::text[]) + e.place, e.type, e.body
FROM unnest($10::text[], $11::bytea[]) WITH ORDINALITY AS e (type, body, place);

-- name: change_session
-- Compare and set: nothing happens unless the stored version is the one the command read. An end that is judged by the
-- last sign of life needs that to be as it was read, too. Answers the session's labels as they were, with NULL in front
-- if it happened.
WITH changed AS (
    UPDATE sheetgrpc.sessions
    SET state = $2, lifecycle = $3, version = $4, role = $5, task_id = $6, body = $7,
        active_at = coalesce($10::bigint, active_at), ended_at = $11
    WHERE id = $1 AND version = $4 - cardinality($8::text[])
        AND NOT purged
        AND ($12::bigint IS NULL OR active_at = $12)
    RETURNING version
), logged AS (
    INSERT INTO sheetgrpc.events (session_id, sequence, type, body)
    SELECT $1, changed.version - cardinality($8::text[]) + e.place, e.type, e.body
    FROM changed, unnest($8::text[], $9::bytea[]) WITH ORDINALITY AS e (type, body, place)
)
SELECT NULL AS label FROM changed
UNION ALL
SELECT label FROM sheetgrpc.labels WHERE session_id = $1;

-- name: change_symbols
-- The committed symbols kept beside a session.
UPDATE sheetgrpc.sessions SET symbol_count = $2, symbols = $3 WHERE id = $1;

-- name: add_label
-- A label that no other session of the owner has yet.
INSERT INTO sheetgrpc.labels (label, session_id, owner) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING;

-- name: move_label
-- A label, from whichever session of the owner has it.
INSERT INTO sheetgrpc.labels (label, session_id, owner) VALUES ($1, $2, $3)
ON CONFLICT (label, owner) DO UPDATE SET session_id = excluded.session_id;

-- name: drop_label
-- A label that its session no longer has.
DELETE FROM sheetgrpc.labels WHERE label = $1 AND session_id = $2;

-- name: events
-- A stretch of a session's log; of these types, if any are given.
SELECT sequence, body
FROM sheetgrpc.events
WHERE session_id = $1 AND sequence > $2 AND (cardinality($4::text[]) = 0 OR type = ANY($4))
ORDER BY sequence
LIMIT $3;

-- name: scope
-- A scope snapshot.
SELECT body FROM sheetgrpc.scopes WHERE id = $1;

-- name: add_scope
-- A new scope snapshot.
INSERT INTO sheetgrpc.scopes (id, session_id, body) VALUES ($1, $2, $3);

-- name: sheet
-- A sheet with its source, unless its session is on its way out.
SELECT id, session_id, digest, source, statement_count, created_at, scope_id, template_statements
FROM sheetgrpc.sheets
WHERE id = $1
    AND EXISTS (
        SELECT 1
        FROM sheetgrpc.sessions AS s
        WHERE s.id = sheets.session_id AND NOT s.purged AND ($2::text IS NULL OR s.owner = $2)
    );

-- name: add_sheet
-- A new sheet.
INSERT INTO sheetgrpc.sheets (id, session_id, digest, source, statement_count, created_at, scope_id, template_statements)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8);

-- name: analysis
-- The counts of a sheet's last parse.
SELECT body FROM sheetgrpc.analyses WHERE sheet_id = $1;

-- name: set_analysis
-- The counts of a sheet's last parse, over those of the one before, of which nothing else stays either.
WITH findings AS (
    DELETE FROM sheetgrpc.diagnostics WHERE sheet_id = $1
), wanted AS (
    DELETE FROM sheetgrpc.references WHERE sheet_id = $1
)
INSERT INTO sheetgrpc.analyses (sheet_id, body) VALUES ($1, $2)
ON CONFLICT (sheet_id) DO UPDATE SET body = excluded.body;

-- name: drop_analysis
-- The counts and findings of a parse that was undone.
WITH findings AS (
    DELETE FROM sheetgrpc.diagnostics WHERE sheet_id = $1
), wanted AS (
    DELETE FROM sheetgrpc.references WHERE sheet_id = $1
)
DELETE FROM sheetgrpc.analyses WHERE sheet_id = $1;

-- name: diagnostics
-- A stretch of a sheet's findings.
SELECT body FROM sheetgrpc.diagnostics WHERE sheet_id = $1 AND position >= $2 ORDER BY position LIMIT $3;

-- name: add_diagnostics
-- Findings, the first of which has position $2.
INSERT INTO sheetgrpc.diagnostics (sheet_id, position, body)
SELECT $1, $2::integer + d.place - 1, d.body FROM unnest($3::bytea[]) WITH ORDINALITY AS d (body, place);

-- name: references
-- A stretch of a sheet's references.
SELECT position, entity_id, body
FROM sheetgrpc.references
WHERE sheet_id = $1 AND position > $2
ORDER BY position
LIMIT $3;

-- name: open_references
-- A stretch of a sheet's references without a key.
SELECT position, entity_id, body
FROM sheetgrpc.references
WHERE sheet_id = $1 AND position > $2 AND entity_id IS NULL
ORDER BY position
LIMIT $3;

-- name: reference
-- One reference.
SELECT position, entity_id, body FROM sheetgrpc.references WHERE sheet_id = $1 AND ref_id = $2;

-- name: resolutions
-- All chosen keys of a sheet.
SELECT ref_id, entity_type, entity_id FROM sheetgrpc.references WHERE sheet_id = $1 AND entity_id IS NOT NULL;

-- name: add_references
-- References, the first of which has position $2.
INSERT INTO sheetgrpc.references (sheet_id, position, ref_id, entity_type, entity_id, body)
SELECT $1, $2::integer + r.place - 1, r.ref_id, r.entity_type, r.entity_id, r.body
FROM unnest($3::text[], $4::text[], $5::text[], $6::bytea[]) WITH ORDINALITY
    AS r (ref_id, entity_type, entity_id, body, place);

-- name: resolve_references
-- The keys that references stand for.
UPDATE sheetgrpc.references AS r
SET entity_id = chosen.entity_id
FROM unnest($2::text[], $3::text[]) AS chosen (ref_id, entity_id)
WHERE r.sheet_id = $1 AND r.ref_id = chosen.ref_id;

-- name: execution
-- One execution by its id, and who asked for its end while it runs; of one owner, if that is asked for.
SELECT body, cancelled_by, cancelled_at
FROM sheetgrpc.executions
WHERE id = $1 AND ($2::text IS NULL OR owner = $2);

-- name: executions
-- A page of executions, newest submitted first.
SELECT body, cancelled_by, cancelled_at
FROM sheetgrpc.executions
WHERE (submitted_at, id) < ($1, $2)
    AND (cardinality($3::text[]) = 0 OR state = ANY($3))
    AND ($6::text = '' OR replay_of = $6)
    AND submitted_at >= $5
ORDER BY submitted_at DESC, id DESC
LIMIT $4;

-- name: executions_of_owner
-- A page of one owner's executions, newest submitted first.
SELECT body, cancelled_by, cancelled_at
FROM sheetgrpc.executions
WHERE owner = $7
    AND (submitted_at, id) < ($1, $2)
    AND (cardinality($3::text[]) = 0 OR state = ANY($3))
    AND ($6::text = '' OR replay_of = $6)
    AND submitted_at >= $5
ORDER BY submitted_at DESC, id DESC
LIMIT $4;

-- name: executions_of_session
-- A page of one session's executions, newest submitted first.
SELECT body, cancelled_by, cancelled_at
FROM sheetgrpc.executions
WHERE session_id = $7
    AND (submitted_at, id) < ($1, $2)
    AND (cardinality($3::text[]) = 0 OR state = ANY($3))
    AND ($6::text = '' OR replay_of = $6)
    AND submitted_at >= $5
ORDER BY submitted_at DESC, id DESC
LIMIT $4;

-- name: executions_unfinished
-- The queue: read from the small index of what has not ended, however long the history is.
SELECT body, cancelled_by, cancelled_at
FROM sheetgrpc.executions
WHERE state IN ('QUEUED', 'RUNNING')
    AND state = ANY($3::text[])
    AND ($7::text = '' OR session_id = $7)
    AND ($8::text IS NULL OR owner = $8)
    AND ($6::text = '' OR replay_of = $6)
    AND (submitted_at, id) < ($1, $2)
    AND submitted_at >= $5
ORDER BY submitted_at DESC, id DESC
LIMIT $4;

-- name: executions_dead
-- A page of dead letters, newest submitted first: what FAILED and nobody has replayed.
SELECT body, cancelled_by, cancelled_at
FROM sheetgrpc.executions AS e
WHERE state = 'FAILED' AND NOT dry_run
    AND NOT EXISTS (SELECT 1 FROM sheetgrpc.executions AS r WHERE r.replay_of = e.id AND r.replay_of <> '')
    AND (submitted_at, id) < ($1, $2)
    AND (cardinality($3::text[]) = 0 OR state = ANY($3))
    AND ($7::text = '' OR session_id = $7)
    AND ($8::text IS NULL OR owner = $8)
    AND ($6::text = '' OR replay_of = $6)
    AND submitted_at >= $5
ORDER BY submitted_at DESC, id DESC
LIMIT $4;

-- name: executions_replaying
-- The replay of an execution, if there is one.
SELECT body, cancelled_by, cancelled_at
FROM sheetgrpc.executions
WHERE replay_of = $6 AND replay_of <> ''
    AND (submitted_at, id) < ($1, $2)
    AND (cardinality($3::text[]) = 0 OR state = ANY($3))
    AND ($7::text = '' OR session_id = $7)
    AND ($8::text IS NULL OR owner = $8)
    AND submitted_at >= $5
ORDER BY submitted_at DESC, id DESC
LIMIT $4;

-- name: waiting
-- Who is next.
SELECT body, cancelled_by, cancelled_at
FROM sheetgrpc.executions
WHERE state = 'QUEUED' AND next_attempt_at <= $1 AND id NOT IN (SELECT unnest($3::text[]))
ORDER BY priority DESC, submitted_at, id
LIMIT $2;

-- name: waiting_count
-- How many wait, up to a limit.
SELECT count(*) FROM (SELECT 1 FROM sheetgrpc.executions WHERE state = 'QUEUED' LIMIT $1) AS waiting;

-- name: queue
-- How the queue stands.
SELECT mode, changed_by, changed_at FROM sheetgrpc.queue;

-- name: join_queue
-- How the queue stands, which stays so until whoever joins it has committed.
SELECT mode FROM sheetgrpc.queue FOR SHARE;

-- name: join_queue_alone
-- The same, and nobody else joins it meanwhile.
SELECT mode FROM sheetgrpc.queue FOR UPDATE;

-- name: change_queue
-- How the queue stands from now on.
UPDATE sheetgrpc.queue SET mode = $1, changed_by = $2, changed_at = $3;

-- name: queue_counts
-- Every execution, counted by state.
SELECT state, count(*), sum(retry_count), sum(deferral_count), min(submitted_at) FROM sheetgrpc.executions GROUP BY state;

-- name: receipts
-- What became of an execution's attempts.
SELECT body FROM sheetgrpc.execution_receipts WHERE execution_id = $1 AND epoch > $2 ORDER BY epoch LIMIT $3;

-- name: add_receipt
-- What became of an attempt.
INSERT INTO sheetgrpc.execution_receipts (execution_id, epoch, outcome, body) VALUES ($1, $2, $3, $4);

-- name: claim
-- The guard of a run: is this still what was read?
SELECT 1 FROM sheetgrpc.executions WHERE id = $1 AND state = $2 AND epoch = $3;

-- name: hold
-- The guard of what ends a run: nobody else changes the execution meanwhile. Its lease may have to have run out.
SELECT cancelled_by, cancelled_at
FROM sheetgrpc.executions
WHERE id = $1 AND state = $2 AND epoch = $3 AND (NOT $4::boolean OR lease_until < clock_timestamp())
FOR UPDATE;

-- name: ask
-- Asks whoever runs the execution to stop. Of two who ask the first counts.
UPDATE sheetgrpc.executions
SET cancelled_by = $3, cancelled_at = $4
WHERE id = $1 AND state = 'RUNNING' AND epoch = $2 AND cancelled_at IS NULL;

-- name: renew_leases
-- Renews these leases of a replica and answers all that it has. One that is just being ended is left alone.
WITH mine AS (
    SELECT id
    FROM sheetgrpc.executions
    WHERE replica = $1 AND state = 'RUNNING' AND id = ANY($2::text[])
    FOR UPDATE SKIP LOCKED
), renewed AS (
    UPDATE sheetgrpc.executions AS e
    SET lease_until = clock_timestamp() + $3::double precision * interval '1 second'
    FROM mine
    WHERE e.id = mine.id
)
SELECT id, epoch, cancelled_by, cancelled_at FROM sheetgrpc.executions WHERE replica = $1 AND state = 'RUNNING';

-- name: lapsed_leases
-- Runs that nobody keeps alive.
SELECT body, cancelled_by, cancelled_at
FROM sheetgrpc.executions
WHERE state = 'RUNNING' AND lease_until < clock_timestamp()
ORDER BY lease_until
LIMIT $1;

-- name: evict
-- Ends the transactions of a server whose lease has run out: it may be stopped in the middle of one, with rows locked.
SELECT pg_terminate_backend(pid)
FROM pg_stat_activity
WHERE application_name = $1 AND datname = current_database() AND xact_start IS NOT NULL AND pid <> pg_backend_pid();

-- name: notify
-- A hint to all servers.
SELECT pg_notify($1, $2);

-- name: add_progress
-- What a run tells from one sequence to the next.
INSERT INTO sheetgrpc.progress (execution_id, epoch, last_sequence, body)
VALUES ($1, $2, $3, $4)
ON CONFLICT DO NOTHING;

-- name: progress
-- What runs have told, for each beyond a place.
SELECT p.execution_id, p.epoch, p.last_sequence, p.body
FROM unnest($1::text[], $2::bigint[], $3::bigint[]) AS followed (execution_id, epoch, sequence)
JOIN sheetgrpc.progress AS p ON p.execution_id = followed.execution_id
WHERE (p.epoch, p.last_sequence) > (followed.epoch, followed.sequence)
ORDER BY p.execution_id, p.epoch, p.last_sequence;

-- name: followed_executions
-- Executions by id.
SELECT body, cancelled_by, cancelled_at FROM sheetgrpc.executions WHERE id = ANY($1::text[]);

-- name: drop_progress
-- What was told too long ago for anybody to be still reading it.
DELETE FROM sheetgrpc.progress
WHERE (execution_id, epoch, last_sequence) IN (
    SELECT p.execution_id, p.epoch, p.last_sequence
    FROM sheetgrpc.progress AS p
    LEFT JOIN sheetgrpc.executions AS e ON e.id = p.execution_id AND e.state = 'RUNNING' AND e.epoch = p.epoch
    WHERE p.written_at < clock_timestamp() - $1::double precision * interval '1 second' AND e.id IS NULL
    LIMIT $2
    FOR UPDATE OF p SKIP LOCKED
);

-- name: versions
-- How far the logs of these sessions are.
SELECT id, version FROM sheetgrpc.sessions WHERE id = ANY($1::text[]) AND NOT purged;

-- name: add_execution
-- A new execution; nothing happens if the session has an unfinished one. Dry runs do not count.
INSERT INTO sheetgrpc.executions (
    id, session_id, sheet_id, submitted_at, state, epoch, body, priority, next_attempt_at, replay_of, dry_run, owner
)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, (SELECT owner FROM sheetgrpc.sessions WHERE id = $2))
ON CONFLICT (session_id) WHERE state IN ('QUEUED', 'RUNNING') AND NOT dry_run DO NOTHING;

-- name: change_execution
-- How an unfinished execution goes on or ends: compare and set, so that who was overtaken changes nothing. Held: no claim.
-- A claim is a lease of $11 seconds, and nobody has asked for its end yet.
UPDATE sheetgrpc.executions
SET state = $2, epoch = $3, body = $4, next_attempt_at = $5, retry_count = $6, deferral_count = $7, replica = $10,
    lease_until = CASE
        WHEN $2 = 'RUNNING' AND $10 <> '' THEN clock_timestamp() + $11::double precision * interval '1 second'
        ELSE lease_until
    END,
    cancelled_by = CASE WHEN epoch < $3 THEN '' ELSE cancelled_by END,
    cancelled_at = CASE WHEN epoch < $3 THEN NULL ELSE cancelled_at END
WHERE id = $1
    AND state IN ('QUEUED', 'RUNNING')
    AND ($8::text IS NULL OR (state = $8 AND epoch = $9))
    AND (epoch = $3 OR (state = 'QUEUED' AND epoch < $3))
    AND ($2 <> 'RUNNING' OR (SELECT mode FROM sheetgrpc.queue) NOT IN ('HOLD', 'REJECT'));

-- name: approval
-- One approval with its decisions.
SELECT
    a.body,
    ARRAY(
        SELECT d.body FROM sheetgrpc.approval_decisions AS d WHERE d.approval_id = a.id ORDER BY d.at, d.approver
    )
FROM sheetgrpc.approvals AS a
JOIN sheetgrpc.sessions AS s ON s.id = a.session_id
WHERE a.id = $1 AND NOT s.purged;

-- name: approvals
-- A page of approvals with their decisions, newest requested first.
SELECT
    a.body,
    ARRAY(
        SELECT d.body FROM sheetgrpc.approval_decisions AS d WHERE d.approval_id = a.id ORDER BY d.at, d.approver
    )
FROM sheetgrpc.approvals AS a
JOIN sheetgrpc.sessions AS s ON s.id = a.session_id
WHERE (a.requested_at, a.id) < ($1, $2)
    AND NOT s.purged
    AND (cardinality($3::text[]) = 0 OR a.state = ANY($3))
    AND ($4::text = '' OR a.session_id = $4)
    AND ($5::text = '' OR a.plan_digest = $5)
    AND ($6::text = '' OR a.execution_id = $6)
    AND ($7::text = '' OR a.sheet_id = $7)
    AND ($8::text IS NULL OR a.requested_by = $8)
ORDER BY a.requested_at DESC, a.id DESC
LIMIT $9;

-- name: add_approval
-- An approval that was asked for.
INSERT INTO sheetgrpc.approvals (
    id, state, decided_at, used_by, revision, body, session_id, execution_id, sheet_id, plan_digest, requested_by,
    requested_at
)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12);

-- name: change_approval
-- Compare and set: nothing happens unless the stored revision is the one before.
UPDATE sheetgrpc.approvals
SET state = $2, decided_at = $3, used_by = $4, revision = $5, body = $6
WHERE id = $1 AND revision = $5 - 1;

-- name: add_decision
-- What an approver says, once.
INSERT INTO sheetgrpc.approval_decisions (approval_id, approver, at, body) VALUES ($1, $2, $3, $4);

-- name: results
-- A stretch of an execution's results.
SELECT statement_index, depth, status, effect, key, micros, detail
FROM sheetgrpc.results
WHERE execution_id = $1
    AND statement_index > $2
    AND (cardinality($4::integer[]) = 0 OR status = ANY($4))
ORDER BY statement_index
LIMIT $3;

-- name: symbols
-- The symbols of one execution by name.
SELECT symbol, entity_type, key
FROM sheetgrpc.results
WHERE execution_id = $1 AND symbol IS NOT NULL AND symbol > $2 AND key IS NOT NULL
ORDER BY symbol
LIMIT $3;

-- name: symbols_named
-- Those of these names that one execution bound.
SELECT symbol, entity_type, key
FROM sheetgrpc.results
WHERE execution_id = $1 AND symbol = ANY($4::text[]) AND symbol > $2 AND key IS NOT NULL
ORDER BY symbol
LIMIT $3;

-- name: reply
-- The reply of a request id, unless it has expired.
SELECT fingerprint, reply, session_id, expires_at, execution_id
FROM sheetgrpc.replies
WHERE caller = $1 AND method = $2 AND target = $3 AND request_id = $4 AND expires_at > $5;

-- name: add_reply
-- A reply; over one of the same request id only if that has expired. With every one go a few expired ones: the table
-- stays as large as what is kept, even where nobody sweeps.
WITH gone AS (
    DELETE FROM sheetgrpc.replies
    WHERE (caller, method, target, request_id) IN (
        SELECT caller, method, target, request_id
        FROM sheetgrpc.replies
        WHERE expires_at <= $10 AND NOT (caller = $1 AND method = $2 AND target = $3 AND request_id = $4)
        ORDER BY expires_at
        LIMIT 4
        FOR UPDATE SKIP LOCKED
    )
)
INSERT INTO sheetgrpc.replies (caller, method, target, request_id, session_id, execution_id, expires_at, fingerprint, reply)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (caller, method, target, request_id) DO UPDATE
SET session_id = excluded.session_id, execution_id = excluded.execution_id, expires_at = excluded.expires_at,
    fingerprint = excluded.fingerprint, reply = excluded.reply
WHERE replies.expires_at <= $10;

-- name: drop_expired_replies
-- A stretch of what has expired; what another command is about to write over is left to it.
DELETE FROM sheetgrpc.replies
WHERE (caller, method, target, request_id) IN (
    SELECT caller, method, target, request_id
    FROM sheetgrpc.replies
    WHERE expires_at <= $1
    ORDER BY expires_at
    LIMIT $2
    FOR UPDATE SKIP LOCKED
);

-- name: health
-- Names the database, if it may be written to.
SELECT value FROM sheetgrpc.meta WHERE name = 'incarnation' AND NOT pg_is_in_recovery();

-- name: due_leases
-- Sessions whose lease has run out, and that have had it for a whole lease of this server's uninterrupted time.
SELECT id
FROM sheetgrpc.sessions
WHERE lease IS NOT NULL AND ended_at IS NULL AND state <> 'EXECUTING'
    AND active_at + lease <= $1
    AND lease <= $1 - $2::bigint
ORDER BY active_at + lease
LIMIT $3;

-- name: due_retentions
-- Sessions without a lease that nothing has happened to for too long.
SELECT id
FROM sheetgrpc.sessions
WHERE ended_at IS NULL AND state <> 'EXECUTING' AND active_at <= $1 AND lease IS NULL
ORDER BY active_at
LIMIT $2;

-- name: due_tombstones
-- Sessions that ended long enough ago; not those whose forks are there, which may use their symbols.
SELECT id
FROM sheetgrpc.sessions AS s
WHERE ended_at <= $1 AND NOT purged
    AND NOT EXISTS (SELECT 1 FROM sheetgrpc.sessions AS f WHERE f.parent_id = s.id AND f.parent_id <> '')
ORDER BY ended_at
LIMIT $2;

-- name: long_logs
-- Sessions with more events than a log should have, a stretch by id.
SELECT id
FROM sheetgrpc.sessions
WHERE ended_at IS NULL AND version - oldest_sequence >= 100
    AND version - oldest_sequence >= $1
    AND id > $2
ORDER BY id
LIMIT $3;

-- name: base
-- What a trimmed log begins with.
SELECT base FROM sheetgrpc.sessions WHERE id = $1;

-- name: touch_sessions
-- Signs of life that were no commands. One from a clock that has been set back since counts for nothing. The sessions
-- are held in the one order that all have, so that none wait in turn.
WITH living AS (
    SELECT id FROM sheetgrpc.sessions WHERE id = ANY($1::text[]) AND ended_at IS NULL ORDER BY id FOR NO KEY UPDATE
)
UPDATE sheetgrpc.sessions AS s
SET active_at = CASE WHEN s.active_at > $3 THEN seen.at ELSE greatest(s.active_at, seen.at) END
FROM living
JOIN unnest($1::text[], $2::bigint[]) AS seen (id, at) ON seen.id = living.id
WHERE s.id = living.id;

-- name: settle_sessions
-- Live sessions whose last sign of life is yet to come, as the clock was set back: it is of now. One that a command
-- holds has its next sign of life from that, or is found again.
WITH ahead AS (
    SELECT id
    FROM sheetgrpc.sessions
    WHERE ended_at IS NULL AND state <> 'EXECUTING' AND active_at > $2
    LIMIT $3
    FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE sheetgrpc.sessions AS s SET active_at = $1 FROM ahead WHERE s.id = ahead.id;

-- name: ahead_session
-- A live session whose last sign of life is yet to come.
SELECT id FROM sheetgrpc.sessions WHERE ended_at IS NULL AND state <> 'EXECUTING' AND active_at > $1 LIMIT 1;

-- name: trim_session
-- A log without its first events. Compare and set: nothing happens if the session has changed.
WITH trimmed AS (
    UPDATE sheetgrpc.sessions
    SET base = $4, oldest_sequence = $3
    WHERE id = $1 AND version = $2 AND oldest_sequence < $3 AND ended_at IS NULL
    RETURNING id
), dropped AS (
    DELETE FROM sheetgrpc.events AS e USING trimmed WHERE e.session_id = trimmed.id AND e.sequence < $3
)
SELECT id FROM trimmed;

-- name: hold_session
-- Held until the transaction ends: nobody forks it meanwhile.
SELECT id FROM sheetgrpc.sessions WHERE id = $1 FOR UPDATE;

-- name: hide_session
-- The first step of a purge: from here on nothing finds the session, its labels and its executions, whose results are a
-- matter of `leavings`. The session is held already: a fork that was made meanwhile is seen.
WITH hidden AS (
    UPDATE sheetgrpc.sessions SET purged = true
    WHERE id = $1 AND NOT purged AND ended_at <= $2
        AND NOT EXISTS (SELECT 1 FROM sheetgrpc.sessions AS f WHERE f.parent_id = $1 AND f.parent_id <> '')
    RETURNING id
), labels AS (
    DELETE FROM sheetgrpc.labels AS l USING hidden WHERE l.session_id = hidden.id
), executions AS (
    DELETE FROM sheetgrpc.executions AS e USING hidden WHERE e.session_id = hidden.id
)
SELECT id FROM hidden;

-- name: leavings
-- Whether a purged session left anything: its id, or that of an execution.
(SELECT execution_id FROM sheetgrpc.leavings LIMIT 1) UNION ALL (SELECT id FROM sheetgrpc.sessions WHERE purged LIMIT 1);

-- name: left_over
-- An execution that is gone and has left its results, a session that nothing finds any more, a sheet of that: one of
-- each, or NULL.
SELECT left_by.execution_id, purged.id, sheet.id
FROM (SELECT 1) AS one
LEFT JOIN LATERAL (SELECT execution_id FROM sheetgrpc.leavings LIMIT 1) AS left_by ON true
LEFT JOIN LATERAL (SELECT id FROM sheetgrpc.sessions WHERE purged LIMIT 1) AS purged ON true
LEFT JOIN LATERAL (SELECT id FROM sheetgrpc.sheets WHERE session_id = purged.id LIMIT 1) AS sheet ON true;

-- name: drop_results
-- The next results of an execution that is gone.
DELETE FROM sheetgrpc.results
WHERE execution_id = $1
    AND statement_index < $2 + (SELECT min(statement_index) FROM sheetgrpc.results WHERE execution_id = $1);

-- name: add_effects
-- Pieces of an execution's effects.
INSERT INTO sheetgrpc.effects (execution_id, first, kinds, body)
SELECT $1, p.first, p.kinds, p.body FROM unnest($2::integer[], $3::text[], $4::bytea[]) AS p (first, kinds, body);

-- name: effect_pieces
-- Where the pieces of an execution's effects begin, and what is in them.
SELECT first, kinds FROM sheetgrpc.effects WHERE execution_id = $1 ORDER BY first;

-- name: effects
-- A piece of an execution's effects.
SELECT body FROM sheetgrpc.effects WHERE execution_id = $1 AND first = $2;

-- name: check_deferred
-- Has every constraint checked that waits for COMMIT.
SET CONSTRAINTS ALL IMMEDIATE;

-- name: drop_effects
-- Some effects of an execution that is gone.
DELETE FROM sheetgrpc.effects
WHERE execution_id = $1 AND first IN (SELECT first FROM sheetgrpc.effects WHERE execution_id = $1 LIMIT 50);

-- name: drop_leaving
-- An execution of which nothing is left.
DELETE FROM sheetgrpc.leavings WHERE execution_id = $1;

-- name: drop_some_references
-- The next references of a sheet.
DELETE FROM sheetgrpc.references
WHERE sheet_id = $1 AND position < $2 + (SELECT min(position) FROM sheetgrpc.references WHERE sheet_id = $1);

-- name: drop_some_diagnostics
-- The next findings of a sheet.
DELETE FROM sheetgrpc.diagnostics
WHERE sheet_id = $1 AND position < $2 + (SELECT min(position) FROM sheetgrpc.diagnostics WHERE sheet_id = $1);

-- name: drop_sheet
-- A sheet and what is left of its analysis.
DELETE FROM sheetgrpc.sheets WHERE id = $1;

-- name: drop_scope
-- One scope snapshot of a session.
DELETE FROM sheetgrpc.scopes WHERE id = (SELECT id FROM sheetgrpc.scopes WHERE session_id = $1 LIMIT 1);

-- name: drop_some_events
-- The next events of a session.
DELETE FROM sheetgrpc.events
WHERE session_id = $1 AND sequence < $2 + (SELECT min(sequence) FROM sheetgrpc.events WHERE session_id = $1);

-- name: drop_session
-- A session of which nothing else is left.
DELETE FROM sheetgrpc.sessions WHERE id = $1 AND purged;

-- name: table_columns
-- The columns of a table or view as it is now: declared type, what a text is cast to for writing (no length, so that
-- nothing is cut in silence) and for comparing (with precision, as a stored value would be), category, whether an array.
SELECT
    a.attname,
    format_type(a.atttypid, a.atttypmod),
    quote_ident(n.nspname) || '.' || quote_ident(t.typname),
    CASE
        WHEN coalesce(b.typname, t.typname) IN ('numeric', 'timestamp', 'timestamptz', 'time', 'timetz', 'interval')
            THEN format_type(a.atttypid, a.atttypmod)
        ELSE quote_ident(n.nspname) || '.' || quote_ident(t.typname)
    END,
    CASE WHEN b.oid IS NOT NULL THEN b.typcategory ELSE t.typcategory END::text,
    coalesce(b.typname, t.typname),
    e.typname
FROM pg_catalog.pg_attribute AS a
JOIN pg_catalog.pg_type AS t ON t.oid = a.atttypid
JOIN pg_catalog.pg_namespace AS n ON n.oid = t.typnamespace
LEFT JOIN pg_catalog.pg_type AS b ON t.typtype = 'd' AND b.oid = t.typbasetype
LEFT JOIN pg_catalog.pg_type AS e ON e.oid = nullif(coalesce(b.typelem, t.typelem), 0)
WHERE a.attrelid = to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum;

-- name: unique_columns
-- The columns of each full unique index of a table that holds at once, and of its primary key; one on an expression has
-- a column without a name.
SELECT i.indexrelid::bigint, a.attname
FROM pg_catalog.pg_index AS i
CROSS JOIN LATERAL unnest(i.indkey::smallint[]) WITH ORDINALITY AS k (attnum, place)
LEFT JOIN pg_catalog.pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = k.attnum AND k.attnum > 0
WHERE i.indrelid = to_regclass($1)
    AND i.indisunique AND i.indpred IS NULL AND i.indisvalid AND k.place <= i.indnkeyatts
ORDER BY i.indexrelid, k.place;

-- name: task
-- One task by its id.
SELECT body FROM sheetgrpc.tasks WHERE id = $1;

-- name: lock_task
-- One task, held against every other command until the transaction ends.
SELECT body FROM sheetgrpc.tasks WHERE id = $1 FOR UPDATE;

-- name: task_of_key
-- The task that a caller made under a key.
SELECT body
FROM sheetgrpc.tasks
WHERE created_by = $1 AND idempotency_key = $2 AND idempotency_key <> '';

-- name: tasks
-- A page of tasks, newest first: those that a reader ($12, with roles) may see, all where there is no reader.
-- Those below are the same from the index of one filter. CASE: as with sessions.
SELECT body
FROM sheetgrpc.tasks
WHERE (created_at, id) < ($1, $2)
    AND CASE
        WHEN (cardinality($3::text[]) = 0 OR kind = ANY($3))
            AND (cardinality($4::text[]) = 0 OR state = ANY($4))
            AND ($5::text = '' OR from_role = $5)
            AND ($6::text = '' OR to_role = $6)
            AND ($7::text = '' OR trace_id = $7)
            AND ($8::text = '' OR session_id = $8)
            AND ($9::text = '' OR parent_id = $9)
            AND ($10::text = '' OR created_by = $10)
            AND ($12::text IS NULL OR created_by = $12 OR ARRAY[from_role, to_role] && $13::text[])
            THEN true
        ELSE false
    END
ORDER BY created_at DESC, id DESC
LIMIT $11;

-- name: tasks_of_session
-- Those of a session.
SELECT body
FROM sheetgrpc.tasks
WHERE session_id = $8
    AND (created_at, id) < ($1, $2)
    AND CASE
        WHEN (cardinality($3::text[]) = 0 OR kind = ANY($3))
            AND (cardinality($4::text[]) = 0 OR state = ANY($4))
            AND ($5::text = '' OR from_role = $5)
            AND ($6::text = '' OR to_role = $6)
            AND ($7::text = '' OR trace_id = $7)
            AND ($9::text = '' OR parent_id = $9)
            AND ($10::text = '' OR created_by = $10)
            AND ($12::text IS NULL OR created_by = $12 OR ARRAY[from_role, to_role] && $13::text[])
            THEN true
        ELSE false
    END
ORDER BY created_at DESC, id DESC
LIMIT $11;

-- name: tasks_about
-- Those about one task.
SELECT body
FROM sheetgrpc.tasks
WHERE parent_id = $9 AND parent_id <> ''
    AND (created_at, id) < ($1, $2)
    AND CASE
        WHEN (cardinality($3::text[]) = 0 OR kind = ANY($3))
            AND (cardinality($4::text[]) = 0 OR state = ANY($4))
            AND ($5::text = '' OR from_role = $5)
            AND ($6::text = '' OR to_role = $6)
            AND ($7::text = '' OR trace_id = $7)
            AND ($8::text = '' OR session_id = $8)
            AND ($10::text = '' OR created_by = $10)
            AND ($12::text IS NULL OR created_by = $12 OR ARRAY[from_role, to_role] && $13::text[])
            THEN true
        ELSE false
    END
ORDER BY created_at DESC, id DESC
LIMIT $11;

-- name: tasks_of_trace
-- Those of a trace.
SELECT body
FROM sheetgrpc.tasks
WHERE trace_id = $7
    AND (created_at, id) < ($1, $2)
    AND CASE
        WHEN (cardinality($3::text[]) = 0 OR kind = ANY($3))
            AND (cardinality($4::text[]) = 0 OR state = ANY($4))
            AND ($5::text = '' OR from_role = $5)
            AND ($6::text = '' OR to_role = $6)
            AND ($8::text = '' OR session_id = $8)
            AND ($9::text = '' OR parent_id = $9)
            AND ($10::text = '' OR created_by = $10)
            AND ($12::text IS NULL OR created_by = $12 OR ARRAY[from_role, to_role] && $13::text[])
            THEN true
        ELSE false
    END
ORDER BY created_at DESC, id DESC
LIMIT $11;

-- name: tasks_for_role
-- Those that ask one role.
SELECT body
FROM sheetgrpc.tasks
WHERE to_role = $6
    AND (created_at, id) < ($1, $2)
    AND CASE
        WHEN (cardinality($3::text[]) = 0 OR kind = ANY($3))
            AND (cardinality($4::text[]) = 0 OR state = ANY($4))
            AND ($5::text = '' OR from_role = $5)
            AND ($7::text = '' OR trace_id = $7)
            AND ($8::text = '' OR session_id = $8)
            AND ($9::text = '' OR parent_id = $9)
            AND ($10::text = '' OR created_by = $10)
            AND ($12::text IS NULL OR created_by = $12 OR ARRAY[from_role, to_role] && $13::text[])
            THEN true
        ELSE false
    END
ORDER BY created_at DESC, id DESC
LIMIT $11;

-- name: tasks_around_session
-- Tasks made for a session and the one that it serves, each once and as of one moment.
-- With how many are in each state, and the trace of the latter. All of it as a reader may see it.
WITH belonging AS (
    SELECT id, created_at, state, trace_id
    FROM sheetgrpc.tasks
    WHERE session_id = $1
        AND ($4::text IS NULL OR created_by = $4 OR ARRAY[from_role, to_role] && $5::text[])
    UNION
    SELECT id, created_at, state, trace_id
    FROM sheetgrpc.tasks
    WHERE id = $2
        AND ($4::text IS NULL OR created_by = $4 OR ARRAY[from_role, to_role] && $5::text[])
)
SELECT t.body, (
    SELECT json_object_agg(state, count)::text
    FROM (SELECT state, count(*) AS count FROM belonging GROUP BY state) AS counted
), (SELECT trace_id FROM belonging WHERE id = $2)
FROM (SELECT id FROM belonging ORDER BY created_at DESC, id DESC LIMIT $3) AS newest
JOIN sheetgrpc.tasks AS t ON t.id = newest.id
ORDER BY t.created_at DESC, t.id DESC;

-- name: tasks_around_task
-- A task and those about it, likewise.
WITH belonging AS (
    SELECT id, created_at, state, trace_id
    FROM sheetgrpc.tasks
    WHERE id = $1
        AND ($3::text IS NULL OR created_by = $3 OR ARRAY[from_role, to_role] && $4::text[])
    UNION
    SELECT id, created_at, state, trace_id
    FROM sheetgrpc.tasks
    WHERE parent_id = $1 AND parent_id <> ''
        AND ($3::text IS NULL OR created_by = $3 OR ARRAY[from_role, to_role] && $4::text[])
)
SELECT t.body, (
    SELECT json_object_agg(state, count)::text
    FROM (SELECT state, count(*) AS count FROM belonging GROUP BY state) AS counted
), (SELECT trace_id FROM belonging WHERE id = $1)
FROM (SELECT id FROM belonging ORDER BY created_at DESC, id DESC LIMIT $2) AS newest
JOIN sheetgrpc.tasks AS t ON t.id = newest.id
ORDER BY t.created_at DESC, t.id DESC;

-- name: add_task
-- A new task; nothing happens if its caller has one under its key.
INSERT INTO sheetgrpc.tasks (
    id, created_at, updated_at, kind, state, version, from_role, to_role, description, trace_id, created_by,
    idempotency_key, session_id, parent_id, body
)
VALUES (
    $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, nullif($13, ''), $14, $15
)
ON CONFLICT (created_by, idempotency_key) WHERE idempotency_key <> '' DO NOTHING;

-- name: change_task
-- Compare and set: nothing happens unless the stored version is the one the command read.
UPDATE sheetgrpc.tasks
SET updated_at = $2, state = $3, version = $4, body = $5
WHERE id = $1 AND version = $4 - 1;

-- name: add_task_event
-- One more change of a task.
INSERT INTO sheetgrpc.task_events (task_id, version, body) VALUES ($1, $2, $3);

-- name: task_events
-- The last changes of a task, latest first.
SELECT body FROM sheetgrpc.task_events WHERE task_id = $1 ORDER BY version DESC LIMIT $2;

-- name: drop_tasks
-- Tasks that nobody waits for and that nothing has happened to for long enough, oldest first.
DELETE FROM sheetgrpc.tasks
WHERE id IN (
    SELECT id
    FROM sheetgrpc.tasks
    WHERE updated_at <= $1 AND (state NOT IN ('PENDING', 'ACTIVE') OR kind = 'NOTIFICATION')
    ORDER BY updated_at
    LIMIT $2
);

-- name: drop_some_tasks
-- Some tasks of a session.
DELETE FROM sheetgrpc.tasks
WHERE id IN (SELECT id FROM sheetgrpc.tasks WHERE session_id = $1 LIMIT $2);
