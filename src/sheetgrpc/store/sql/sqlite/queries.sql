-- Every fixed query of the SQLite store. `-- name:` begins one; the line after it says what it is for.

-- name: our_tables
-- All tables with our prefix: tells an empty database from one with a schema.
SELECT name FROM sqlite_schema WHERE type = 'table' AND name LIKE 'sheetgrpc\_%' ESCAPE '\' ORDER BY name;

-- name: create_migrations
-- The list of migrations this database has had.
CREATE TABLE IF NOT EXISTS sheetgrpc_migrations (version integer PRIMARY KEY, name text NOT NULL, applied_at integer NOT NULL);

-- name: migration_version
-- The newest migration applied.
SELECT max(version) FROM sheetgrpc_migrations;

-- name: add_migration
-- Written in the migration's own transaction.
INSERT INTO sheetgrpc_migrations (version, name, applied_at) VALUES (:version, :name, :applied_at);

-- name: add_meta
-- A fact about this database, if it has none of that name yet.
INSERT INTO sheetgrpc_meta (name, value) VALUES (:name, :value) ON CONFLICT DO NOTHING;

-- name: meta
-- A fact about this database.
SELECT value FROM sheetgrpc_meta WHERE name = :name;

-- name: change_meta
-- Another value of a fact about this database.
UPDATE sheetgrpc_meta SET value = :value WHERE name = :name;

-- name: touch
-- A write that means nothing: whether the disk takes one again after it did not.
INSERT INTO sheetgrpc_meta (name, value) VALUES ('checked_at', :now)
ON CONFLICT (name) DO UPDATE SET value = excluded.value;

-- name: count_tables
-- How many tables of anybody's there are: a restore goes where there is none.
SELECT count(*) FROM sqlite_schema WHERE type IN ('table', 'view');

-- name: session
-- One session by its id; of one owner, if that is asked for.
SELECT body, symbol_count, symbols, active_at, oldest_sequence
FROM sheetgrpc_sessions
WHERE id = :id AND purged = 0 AND (:owner IS NULL OR owner = :owner);

-- name: session_ids
-- Ids with a prefix, as an index range; one more than is ever listed, so that the reader knows of more.
SELECT id FROM sheetgrpc_sessions
WHERE id >= :prefix AND id < :beyond AND purged = 0 AND (:owner IS NULL OR owner = :owner)
ORDER BY id
LIMIT 11;

-- name: labelled_session
-- The session that a label means to an owner; NULL: to whoever has one of that name.
SELECT s.body, s.symbol_count, s.symbols, s.active_at, s.oldest_sequence
FROM sheetgrpc_labels AS l
JOIN sheetgrpc_sessions AS s ON s.id = l.session_id
WHERE l.label = :label AND (:owner IS NULL OR l.owner = :owner)
ORDER BY l.owner
LIMIT 1;

-- name: sessions
-- A page of sessions, newest first. Those below are the same from the index of one filter, the others put to its rows.
SELECT body, symbol_count, NULL, active_at, oldest_sequence
FROM sheetgrpc_sessions
WHERE created_at >= :created_after
    AND (created_at, id) < (:created_at, :id)
    AND purged = 0
    AND (:states = '[]' OR state IN (SELECT value FROM json_each(:states)))
    AND (:lifecycles = '[]' OR lifecycle IN (SELECT value FROM json_each(:lifecycles)))
ORDER BY created_at DESC, id DESC
LIMIT :limit;

-- name: sessions_by_owner
-- Those of one owner.
SELECT body, symbol_count, NULL, active_at, oldest_sequence
FROM sheetgrpc_sessions
WHERE owner = :owner
    AND created_at >= :created_after
    AND (created_at, id) < (:created_at, :id)
    AND purged = 0
    AND (:states = '[]' OR state IN (SELECT value FROM json_each(:states)))
    AND (:lifecycles = '[]' OR lifecycle IN (SELECT value FROM json_each(:lifecycles)))
ORDER BY created_at DESC, id DESC
LIMIT :limit;

-- name: sessions_by_role
-- Those of a role.
SELECT body, symbol_count, NULL, active_at, oldest_sequence
FROM sheetgrpc_sessions
WHERE role = :role AND role <> ''
    AND created_at >= :created_after
    AND (created_at, id) < (:created_at, :id)
    AND purged = 0
    AND (:states = '[]' OR state IN (SELECT value FROM json_each(:states)))
    AND (:lifecycles = '[]' OR lifecycle IN (SELECT value FROM json_each(:lifecycles)))
    AND (:owner IS NULL OR owner = :owner)
ORDER BY created_at DESC, id DESC
LIMIT :limit;

-- name: sessions_by_client_name
-- Those that a program made.
SELECT body, symbol_count, NULL, active_at, oldest_sequence
FROM sheetgrpc_sessions
WHERE client_name = :client_name AND client_name <> ''
    AND created_at >= :created_after
    AND (created_at, id) < (:created_at, :id)
    AND purged = 0
    AND (:states = '[]' OR state IN (SELECT value FROM json_each(:states)))
    AND (:lifecycles = '[]' OR lifecycle IN (SELECT value FROM json_each(:lifecycles)))
    AND (:owner IS NULL OR owner = :owner)
    AND (:role = '' OR role = :role)
ORDER BY created_at DESC, id DESC
LIMIT :limit;

-- name: sessions_by_client_target
-- Those made for a target.
SELECT body, symbol_count, NULL, active_at, oldest_sequence
FROM sheetgrpc_sessions
WHERE client_target = :client_target AND client_target <> ''
    AND created_at >= :created_after
    AND (created_at, id) < (:created_at, :id)
    AND purged = 0
    AND (:states = '[]' OR state IN (SELECT value FROM json_each(:states)))
    AND (:lifecycles = '[]' OR lifecycle IN (SELECT value FROM json_each(:lifecycles)))
    AND (:owner IS NULL OR owner = :owner)
    AND (:role = '' OR role = :role)
    AND (:client_name = '' OR client_name = :client_name)
ORDER BY created_at DESC, id DESC
LIMIT :limit;

-- name: sessions_by_task
-- Those of a task.
SELECT body, symbol_count, NULL, active_at, oldest_sequence
FROM sheetgrpc_sessions
WHERE task_id = :task_id AND task_id <> ''
    AND created_at >= :created_after
    AND (created_at, id) < (:created_at, :id)
    AND purged = 0
    AND (:states = '[]' OR state IN (SELECT value FROM json_each(:states)))
    AND (:lifecycles = '[]' OR lifecycle IN (SELECT value FROM json_each(:lifecycles)))
    AND (:owner IS NULL OR owner = :owner)
    AND (:role = '' OR role = :role)
    AND (:client_name = '' OR client_name = :client_name)
    AND (:client_target = '' OR client_target = :client_target)
ORDER BY created_at DESC, id DESC
LIMIT :limit;

-- name: sessions_by_parent
-- Those forked from one session.
SELECT body, symbol_count, NULL, active_at, oldest_sequence
FROM sheetgrpc_sessions
WHERE parent_id = :parent_id AND parent_id <> ''
    AND created_at >= :created_after
    AND (created_at, id) < (:created_at, :id)
    AND purged = 0
    AND (:states = '[]' OR state IN (SELECT value FROM json_each(:states)))
    AND (:lifecycles = '[]' OR lifecycle IN (SELECT value FROM json_each(:lifecycles)))
    AND (:owner IS NULL OR owner = :owner)
    AND (:role = '' OR role = :role)
    AND (:client_name = '' OR client_name = :client_name)
    AND (:client_target = '' OR client_target = :client_target)
    AND (:task_id = '' OR task_id = :task_id)
ORDER BY created_at DESC, id DESC
LIMIT :limit;

-- name: sessions_by_label
-- The one that has a label, or none.
SELECT body, symbol_count, NULL, active_at, oldest_sequence
FROM sheetgrpc_sessions
WHERE id = (
    SELECT session_id FROM sheetgrpc_labels WHERE label = :label AND (:owner IS NULL OR owner = :owner) LIMIT 1
)
    AND created_at >= :created_after
    AND (created_at, id) < (:created_at, :id)
    AND purged = 0
    AND (:states = '[]' OR state IN (SELECT value FROM json_each(:states)))
    AND (:lifecycles = '[]' OR lifecycle IN (SELECT value FROM json_each(:lifecycles)))
    AND (:owner IS NULL OR owner = :owner)
    AND (:role = '' OR role = :role)
    AND (:client_name = '' OR client_name = :client_name)
    AND (:client_target = '' OR client_target = :client_target)
    AND (:task_id = '' OR task_id = :task_id)
    AND (:parent_id = '' OR parent_id = :parent_id)
ORDER BY created_at DESC, id DESC
LIMIT :limit;

-- name: add_session
-- A new session.
INSERT INTO sheetgrpc_sessions (
    id, created_at, state, lifecycle, version, role, task_id, parent_id, active_at, active_minute, long_log, lease,
    ended_at, client_name, client_target, owner, body
)
VALUES (
    :id, :created_at, :state, :lifecycle, :version, :role, :task_id, :parent_id, coalesce(:active_at, :created_at),
    coalesce(:active_at, :created_at) / 60000000, :version > 100, :lease, :ended_at, :client_name, :client_target,
    :owner, :body
);

-- name: change_session
-- Compare and set: nothing happens unless the stored version is the one the command read.
-- An end that is judged by the last sign of life needs that to be as it was read, too.
UPDATE sheetgrpc_sessions
SET state = :state, lifecycle = :lifecycle, version = :version, role = :role, task_id = :task_id,
    active_at = coalesce(:active_at, active_at), active_minute = coalesce(:active_at, active_at) / 60000000,
    long_log = :version - oldest_sequence >= 100, ended_at = :ended_at, body = :body
WHERE id = :id AND version = :before AND purged = 0 AND (:seen_active_at IS NULL OR active_at = :seen_active_at);

-- name: continue_session
-- The same where nothing changes by which sessions are listed, as most commands have it.
-- Setting a column to what it is would rewrite every index that has the column.
UPDATE sheetgrpc_sessions
SET version = :version, active_at = coalesce(:active_at, active_at), body = :body
WHERE id = :id AND version = :before AND purged = 0 AND (:seen_active_at IS NULL OR active_at = :seen_active_at)
  AND state = :state AND lifecycle = :lifecycle AND role = :role AND task_id = :task_id AND ended_at IS :ended_at
  AND active_minute = coalesce(:active_at, active_at) / 60000000
  AND long_log = (:version - oldest_sequence >= 100);

-- name: change_symbols
-- The committed symbols kept beside a session.
UPDATE sheetgrpc_sessions SET symbol_count = :count, symbols = :first WHERE id = :id;

-- name: labels
-- A session's labels.
SELECT label FROM sheetgrpc_labels WHERE session_id = :session_id;

-- name: add_label
-- A label that no other session of the owner has yet.
INSERT INTO sheetgrpc_labels (label, owner, session_id) VALUES (:label, :owner, :session_id) ON CONFLICT DO NOTHING;

-- name: move_label
-- A label, from whichever session of the owner has it.
INSERT INTO sheetgrpc_labels (label, owner, session_id) VALUES (:label, :owner, :session_id)
ON CONFLICT (label, owner) DO UPDATE SET session_id = excluded.session_id;

-- name: drop_label
-- A label that its session no longer has.
DELETE FROM sheetgrpc_labels WHERE label = :label AND session_id = :session_id;

-- name: events
-- A stretch of a session's log.
SELECT sequence, body
FROM sheetgrpc_events
WHERE session_id = :session_id AND sequence > :after
ORDER BY sequence
LIMIT :limit;

-- name: events_of_types
-- Those of a stretch of a session's log that have one of these types.
SELECT sequence, body
FROM sheetgrpc_events
WHERE session_id = :session_id
    AND sequence > :after
    AND json_extract(CAST(body AS text), '$.type') IN (SELECT value FROM json_each(:types))
ORDER BY sequence
LIMIT :limit;

-- name: add_event
-- One more event.
INSERT INTO sheetgrpc_events (session_id, sequence, body) VALUES (?, ?, ?);

-- name: scope
-- A scope snapshot.
SELECT id, session_id, entity_type, source, keys FROM sheetgrpc_scopes WHERE id = :id;

-- name: add_scope
-- A new scope snapshot.
INSERT INTO sheetgrpc_scopes (id, session_id, entity_type, source, keys)
VALUES (:id, :session_id, :entity_type, :source, :keys);

-- name: sheet
-- A sheet with its source, unless its session is on its way out, or the source is longer than asked for.
SELECT id, session_id, digest, source, statement_count, created_at, scope_id, template_statements
FROM sheetgrpc_sheets
WHERE id = :id AND (:longest IS NULL OR length(source) <= :longest)
    AND EXISTS (
        SELECT 1
        FROM sheetgrpc_sessions AS s
        WHERE s.id = sheetgrpc_sheets.session_id AND s.purged = 0 AND (:owner IS NULL OR s.owner = :owner)
    );

-- name: add_sheet
-- A new sheet.
INSERT INTO sheetgrpc_sheets (id, session_id, digest, source, statement_count, created_at, scope_id, template_statements)
VALUES (:id, :session_id, :digest, :source, :statement_count, :created_at, :scope_id, :template_statements);

-- name: analysis
-- The counts of a sheet's last parse.
SELECT body FROM sheetgrpc_analyses WHERE sheet_id = :sheet_id;

-- name: set_analysis
-- The counts of a sheet's last parse, over those of the one before.
INSERT INTO sheetgrpc_analyses (sheet_id, body) VALUES (:sheet_id, :body)
ON CONFLICT (sheet_id) DO UPDATE SET body = excluded.body;

-- name: drop_analysis
-- The counts of a parse that was undone.
DELETE FROM sheetgrpc_analyses WHERE sheet_id = :sheet_id;

-- name: diagnostics
-- A stretch of a sheet's findings.
SELECT body FROM sheetgrpc_diagnostics WHERE sheet_id = :sheet_id AND position >= :first ORDER BY position LIMIT :limit;

-- name: drop_diagnostics
-- What an earlier parse found.
DELETE FROM sheetgrpc_diagnostics WHERE sheet_id = :sheet_id;

-- name: add_diagnostics
-- Findings from one JSON array, the first of which has position `first`.
INSERT INTO sheetgrpc_diagnostics (sheet_id, position, body)
SELECT :sheet_id, :first + item.key, item.value FROM json_each(:items) AS item;

-- name: references
-- A stretch of a sheet's references.
SELECT position, entity_id, body
FROM sheetgrpc_references
WHERE sheet_id = :sheet_id AND position > :after
ORDER BY position
LIMIT :limit;

-- name: open_references
-- A stretch of a sheet's references without a key.
SELECT position, entity_id, body
FROM sheetgrpc_references
WHERE sheet_id = :sheet_id AND position > :after AND entity_id IS NULL
ORDER BY position
LIMIT :limit;

-- name: reference
-- One reference.
SELECT position, entity_id, body FROM sheetgrpc_references WHERE sheet_id = :sheet_id AND ref_id = :ref_id;

-- name: resolutions
-- All chosen keys of a sheet, as one JSON array: a row each would be a lock hand-over each.
SELECT json_group_array(json_array(ref_id, json_extract(body, '$.reference.entity_type'), entity_id))
FROM sheetgrpc_references
WHERE sheet_id = :sheet_id AND entity_id IS NOT NULL;

-- name: drop_references
-- What an earlier parse wanted.
DELETE FROM sheetgrpc_references WHERE sheet_id = :sheet_id;

-- name: add_references
-- References from one JSON array, the first of which has position `first`.
INSERT INTO sheetgrpc_references (sheet_id, position, ref_id, entity_id, body)
SELECT
    :sheet_id,
    :first + item.key,
    json_extract(item.value, '$.reference.ref_id'),
    json_extract(item.value, '$.reference.entity_id'),
    item.value
FROM json_each(:items) AS item;

-- name: resolve_reference
-- The key that a reference stands for.
UPDATE sheetgrpc_references SET entity_id = ? WHERE sheet_id = ? AND ref_id = ?;

-- name: execution
-- One execution by its id; of one owner, if that is asked for.
SELECT number, body FROM sheetgrpc_executions WHERE id = :id AND (:owner IS NULL OR owner = :owner);

-- name: executions
-- A page of executions, newest submitted first.
SELECT number, body
FROM sheetgrpc_executions
WHERE (submitted_at, id) < (:submitted_at, :id)
    AND (:states = '[]' OR state IN (SELECT value FROM json_each(:states)))
    AND (:replay_of = '' OR replay_of = :replay_of)
    AND submitted_at >= :submitted_after
ORDER BY submitted_at DESC, id DESC
LIMIT :limit;

-- name: executions_of_owner
-- A page of one owner's executions, newest submitted first.
SELECT number, body
FROM sheetgrpc_executions
WHERE owner = :owner
    AND (submitted_at, id) < (:submitted_at, :id)
    AND (:states = '[]' OR state IN (SELECT value FROM json_each(:states)))
    AND (:replay_of = '' OR replay_of = :replay_of)
    AND submitted_at >= :submitted_after
ORDER BY submitted_at DESC, id DESC
LIMIT :limit;

-- name: executions_of_session
-- A page of one session's executions, newest submitted first.
SELECT number, body
FROM sheetgrpc_executions
WHERE session_id = :session_id
    AND (submitted_at, id) < (:submitted_at, :id)
    AND (:states = '[]' OR state IN (SELECT value FROM json_each(:states)))
    AND (:replay_of = '' OR replay_of = :replay_of)
    AND submitted_at >= :submitted_after
ORDER BY submitted_at DESC, id DESC
LIMIT :limit;

-- name: executions_unfinished
-- The queue: read from the small index of what has not ended, however long the history is.
SELECT number, body
FROM sheetgrpc_executions INDEXED BY sheetgrpc_executions_unfinished
WHERE state IN ('QUEUED', 'RUNNING')
    AND state IN (SELECT value FROM json_each(:states))
    AND (:session_id = '' OR session_id = :session_id)
    AND (:owner IS NULL OR owner = :owner)
    AND (submitted_at, id) < (:submitted_at, :id)
    AND (:replay_of = '' OR replay_of = :replay_of)
    AND submitted_at >= :submitted_after
ORDER BY submitted_at DESC, id DESC
LIMIT :limit;

-- name: executions_dead
-- A page of dead letters, newest submitted first: what FAILED and nobody has replayed.
SELECT number, body
FROM sheetgrpc_executions AS e
WHERE state = 'FAILED' AND dry_run = 0
    AND NOT EXISTS (SELECT 1 FROM sheetgrpc_executions AS r WHERE r.replay_of = e.id AND r.replay_of <> '')
    AND (submitted_at, id) < (:submitted_at, :id)
    AND (:states = '[]' OR state IN (SELECT value FROM json_each(:states)))
    AND (:session_id = '' OR session_id = :session_id)
    AND (:owner IS NULL OR owner = :owner)
    AND (:replay_of = '' OR replay_of = :replay_of)
    AND submitted_at >= :submitted_after
ORDER BY submitted_at DESC, id DESC
LIMIT :limit;

-- name: executions_replaying
-- The replay of an execution, if there is one.
SELECT number, body
FROM sheetgrpc_executions
WHERE replay_of = :replay_of AND replay_of <> ''
    AND (submitted_at, id) < (:submitted_at, :id)
    AND (:states = '[]' OR state IN (SELECT value FROM json_each(:states)))
    AND (:session_id = '' OR session_id = :session_id)
    AND (:owner IS NULL OR owner = :owner)
    AND submitted_at >= :submitted_after
ORDER BY submitted_at DESC, id DESC
LIMIT :limit;

-- name: waiting
-- Who is next.
SELECT number, body
FROM sheetgrpc_executions
WHERE state = 'QUEUED' AND next_attempt_at <= :now AND id NOT IN (SELECT value FROM json_each(:without))
ORDER BY priority DESC, submitted_at, id
LIMIT :limit;

-- name: waiting_count
-- How many wait, up to a limit.
SELECT count(*) FROM (SELECT 1 FROM sheetgrpc_executions WHERE state = 'QUEUED' LIMIT :limit);

-- name: queue
-- How the queue stands.
SELECT mode, changed_by, changed_at FROM sheetgrpc_queue;

-- name: change_queue
-- How the queue stands from now on.
UPDATE sheetgrpc_queue SET mode = :mode, changed_by = :changed_by, changed_at = :changed_at;

-- name: queue_counts
-- Every execution, counted by state.
SELECT state, count(*), sum(retry_count), sum(deferral_count), min(submitted_at) FROM sheetgrpc_executions GROUP BY state;

-- name: receipts
-- What became of an execution's attempts.
SELECT body FROM sheetgrpc_execution_receipts WHERE execution_id = :execution_id AND epoch > :after ORDER BY epoch LIMIT :limit;

-- name: add_receipt
-- What became of an attempt.
INSERT INTO sheetgrpc_execution_receipts (execution_id, epoch, outcome, body)
VALUES (:execution_id, :epoch, :outcome, :body);

-- name: claim
-- The guard of a run: is this still what was read?
SELECT 1 FROM sheetgrpc_executions WHERE id = :id AND state = :state AND epoch = :epoch;

-- name: add_execution
-- A new execution; nothing happens if the session has an unfinished one. Dry runs do not count.
-- Its number is beyond those of purged ones too, as long as results of theirs are there.
INSERT INTO sheetgrpc_executions (
    number, id, session_id, sheet_id, submitted_at, state, epoch, body, priority, next_attempt_at, replay_of, dry_run,
    owner
)
VALUES (
    1 + max(
        coalesce((SELECT max(number) FROM sheetgrpc_executions), 0),
        coalesce((SELECT max(execution) FROM sheetgrpc_results), 0),
        coalesce((SELECT max(execution) FROM sheetgrpc_leavings), 0)
    ),
    :id, :session_id, :sheet_id, :submitted_at, :state, :epoch, :body, :priority, :next_attempt_at, :replay_of, :dry_run,
    (SELECT owner FROM sheetgrpc_sessions WHERE id = :session_id)
)
ON CONFLICT (session_id) WHERE state IN ('QUEUED', 'RUNNING') AND dry_run = 0 DO NOTHING;

-- name: change_execution
-- How an unfinished execution goes on or ends: compare and set, so that who was overtaken changes nothing. Held: no claim.
UPDATE sheetgrpc_executions
SET state = :state, epoch = :epoch, body = :body, next_attempt_at = :next_attempt_at, retry_count = :retry_count,
    deferral_count = :deferral_count
WHERE number = :number AND id = :id AND state IN ('QUEUED', 'RUNNING')
    AND (:seen_state IS NULL OR (state = :seen_state AND epoch = :seen_epoch))
    AND (:state <> 'RUNNING' OR (SELECT mode FROM sheetgrpc_queue) NOT IN ('HOLD', 'REJECT'));

-- name: approval
-- One approval with its decisions, as a JSON array.
SELECT
    a.body,
    (
        SELECT json_group_array(json(d.body))
        FROM (SELECT body FROM sheetgrpc_approval_decisions WHERE approval_id = a.id ORDER BY at, approver) AS d
    )
FROM sheetgrpc_approvals AS a
JOIN sheetgrpc_sessions AS s ON s.id = a.session_id
WHERE a.id = :id AND s.purged = 0;

-- name: approvals
-- A page of approvals with their decisions, newest requested first.
SELECT
    a.body,
    (
        SELECT json_group_array(json(d.body))
        FROM (SELECT body FROM sheetgrpc_approval_decisions WHERE approval_id = a.id ORDER BY at, approver) AS d
    )
FROM sheetgrpc_approvals AS a
CROSS JOIN sheetgrpc_sessions AS s ON s.id = a.session_id AND s.purged = 0
WHERE (a.requested_at, a.id) < (:requested_at, :id)
    AND (:states = '[]' OR a.state IN (SELECT value FROM json_each(:states)))
    AND (:plan_digest = '' OR a.plan_digest = :plan_digest)
    AND (:execution_id = '' OR a.execution_id = :execution_id)
    AND (:sheet_id = '' OR a.sheet_id = :sheet_id)
    AND (:requested_by IS NULL OR a.requested_by = :requested_by)
ORDER BY a.requested_at DESC, a.id DESC
LIMIT :limit;

-- name: approvals_of_session
-- Those of one session.
SELECT
    a.body,
    (
        SELECT json_group_array(json(d.body))
        FROM (SELECT body FROM sheetgrpc_approval_decisions WHERE approval_id = a.id ORDER BY at, approver) AS d
    )
FROM sheetgrpc_approvals AS a
CROSS JOIN sheetgrpc_sessions AS s ON s.id = a.session_id AND s.purged = 0
WHERE a.session_id = :session_id
    AND (a.requested_at, a.id) < (:requested_at, :id)
    AND (:states = '[]' OR a.state IN (SELECT value FROM json_each(:states)))
    AND (:plan_digest = '' OR a.plan_digest = :plan_digest)
    AND (:execution_id = '' OR a.execution_id = :execution_id)
    AND (:sheet_id = '' OR a.sheet_id = :sheet_id)
    AND (:requested_by IS NULL OR a.requested_by = :requested_by)
ORDER BY a.requested_at DESC, a.id DESC
LIMIT :limit;

-- name: add_approval
-- An approval that was asked for.
INSERT INTO sheetgrpc_approvals (
    id, session_id, execution_id, sheet_id, plan_digest, requested_by, requested_at, state, decided_at, used_by,
    revision, body
)
VALUES (
    :id, :session_id, :execution_id, :sheet_id, :plan_digest, :requested_by, :requested_at, :state, :decided_at,
    :used_by, :revision, :body
);

-- name: change_approval
-- Compare and set: nothing happens unless the stored revision is the one before.
UPDATE sheetgrpc_approvals
SET state = :state, decided_at = :decided_at, used_by = :used_by, revision = :revision, body = :body
WHERE id = :id AND revision = :revision - 1;

-- name: add_decision
-- What an approver says, once.
INSERT INTO sheetgrpc_approval_decisions (approval_id, approver, at, body) VALUES (:approval_id, :approver, :at, :body);

-- name: results
-- A stretch of an execution's results.
SELECT statement_index, depth, status, effect, key, micros, detail
FROM sheetgrpc_results
WHERE execution = :execution
    AND statement_index > :after
    AND (:statuses = '[]' OR status IN (SELECT value FROM json_each(:statuses)))
ORDER BY statement_index
LIMIT :limit;

-- name: symbols
-- The symbols of one execution by name.
SELECT symbol, entity_type, key
FROM sheetgrpc_results
WHERE execution = :execution AND symbol IS NOT NULL AND symbol > :after AND key IS NOT NULL
ORDER BY symbol
LIMIT :limit;

-- name: symbols_named
-- Those of these names that one execution bound.
SELECT r.symbol, r.entity_type, r.key
FROM (SELECT DISTINCT value FROM json_each(:names)) AS wanted
CROSS JOIN sheetgrpc_results AS r ON r.execution = :execution AND r.symbol = wanted.value
WHERE r.symbol IS NOT NULL AND r.symbol > :after AND r.key IS NOT NULL
ORDER BY r.symbol
LIMIT :limit;

-- name: reply
-- The reply of a request id, unless it has expired.
SELECT fingerprint, reply, session_id, expires_at, execution_id
FROM sheetgrpc_replies
WHERE caller = :caller AND method = :method AND target = :target AND request_id = :request_id AND expires_at > :now;

-- name: add_reply
-- A reply; over one of the same request id only if that has expired.
INSERT INTO sheetgrpc_replies (caller, method, target, request_id, session_id, execution_id, expires_at, fingerprint, reply)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (caller, method, target, request_id) DO UPDATE
SET session_id = excluded.session_id, execution_id = excluded.execution_id, expires_at = excluded.expires_at,
    fingerprint = excluded.fingerprint, reply = excluded.reply
WHERE sheetgrpc_replies.expires_at <= ?;

-- name: drop_expired_replies
-- A batch of a sweep: of the oldest, those whose time has run out.
DELETE FROM sheetgrpc_replies
WHERE rowid IN (SELECT rowid FROM sheetgrpc_replies ORDER BY rowid LIMIT :limit) AND expires_at <= :now;

-- name: due_leases
-- Sessions whose lease has run out, and that have had it for a whole lease of this server's uninterrupted time.
SELECT id
FROM sheetgrpc_sessions
WHERE lease IS NOT NULL AND ended_at IS NULL AND state <> 'EXECUTING'
    AND active_at + lease <= :now
    AND lease <= :now - :since
ORDER BY active_at + lease
LIMIT :limit;

-- name: due_retentions
-- Sessions without a lease that nothing has happened to for too long.
SELECT id
FROM sheetgrpc_sessions
WHERE ended_at IS NULL AND state <> 'EXECUTING' AND lease IS NULL
    AND active_minute <= :before / 60000000 AND active_at <= :before
ORDER BY active_minute
LIMIT :limit;

-- name: due_tombstones
-- Sessions that ended long enough ago; not those whose forks are there, which may use their symbols.
SELECT id
FROM sheetgrpc_sessions AS s
WHERE ended_at <= :before AND purged = 0
    AND NOT EXISTS (SELECT 1 FROM sheetgrpc_sessions AS f WHERE f.parent_id = s.id AND f.parent_id <> '')
ORDER BY ended_at
LIMIT :limit;

-- name: long_logs
-- Sessions with more events than a log should have, a stretch by id.
SELECT id
FROM sheetgrpc_sessions
WHERE ended_at IS NULL AND long_log = 1
    AND version - oldest_sequence >= :events
    AND id > :after
ORDER BY id
LIMIT :limit;

-- name: session_bases
-- Every session that is not on its way out, with what its log begins with if that was trimmed.
SELECT id, base FROM sheetgrpc_sessions WHERE purged = 0;

-- name: change_body
-- What a session's log folds to.
UPDATE sheetgrpc_sessions SET body = :body WHERE id = :id;

-- name: base
-- What a trimmed log begins with.
SELECT base FROM sheetgrpc_sessions WHERE id = :id AND base IS NOT NULL;

-- name: touch_session
-- A sign of life that was no command. One from a clock that has been set back since counts for nothing.
UPDATE sheetgrpc_sessions
SET active_at = CASE WHEN active_at > :now THEN :at ELSE max(active_at, :at) END,
    active_minute = (CASE WHEN active_at > :now THEN :at ELSE max(active_at, :at) END) / 60000000
WHERE id = :id AND ended_at IS NULL;

-- name: ahead_sessions
-- Live sessions whose last sign of life is yet to come: the clock was set back.
SELECT id FROM sheetgrpc_sessions
WHERE ended_at IS NULL AND state <> 'EXECUTING' AND active_minute >= :beyond / 60000000 AND active_at > :beyond
LIMIT :limit;

-- name: trim_session
-- A log without its first events. Compare and set: nothing happens if the session has changed.
UPDATE sheetgrpc_sessions
SET base = :base, oldest_sequence = :oldest, long_log = version - :oldest >= 100
WHERE id = :id AND version = :version AND oldest_sequence < :oldest AND ended_at IS NULL;

-- name: drop_events
-- The events before one.
DELETE FROM sheetgrpc_events WHERE session_id = :id AND sequence < :oldest;

-- name: hide_session
-- The first step of a purge: from here on nothing finds the session.
UPDATE sheetgrpc_sessions SET purged = 1
WHERE id = :id AND purged = 0 AND ended_at <= :before
    AND NOT EXISTS (SELECT 1 FROM sheetgrpc_sessions AS f WHERE f.parent_id = :id AND f.parent_id <> '');

-- name: drop_labels
-- All labels of a session.
DELETE FROM sheetgrpc_labels WHERE session_id = :id;

-- name: drop_executions
-- All executions of a session; what becomes of their results is a matter of `leavings`.
DELETE FROM sheetgrpc_executions WHERE session_id = :id;

-- name: leaving
-- An execution that is gone and has left its results.
SELECT execution FROM sheetgrpc_leavings LIMIT 1;

-- name: drop_results
-- The next results of an execution that is gone.
DELETE FROM sheetgrpc_results
WHERE execution = :execution
    AND statement_index < :limit + (SELECT min(statement_index) FROM sheetgrpc_results WHERE execution = :execution);

-- name: add_effects
-- A piece of an execution's effects.
INSERT INTO sheetgrpc_effects (execution, first, kinds, body) VALUES (?, ?, ?, ?);

-- name: effect_pieces
-- Where the pieces of an execution's effects begin, and what is in them.
SELECT first, kinds FROM sheetgrpc_effects WHERE execution = :execution ORDER BY first;

-- name: effects
-- A piece of an execution's effects.
SELECT body FROM sheetgrpc_effects WHERE execution = :execution AND first = :first;

-- name: deferring_tables
-- Tables with a constraint that waits for COMMIT.
SELECT name FROM sqlite_schema WHERE type = 'table' AND sql LIKE '%DEFERR%';

-- name: broken_key_of_table
-- Whether a foreign key of a table does not hold.
SELECT 1 FROM pragma_foreign_key_check(:name) LIMIT 1;

-- name: drop_effects
-- Some effects of an execution that is gone.
DELETE FROM sheetgrpc_effects
WHERE rowid IN (SELECT rowid FROM sheetgrpc_effects WHERE execution = :execution LIMIT 50);

-- name: drop_leaving
-- An execution of which nothing is left.
DELETE FROM sheetgrpc_leavings WHERE execution = :execution;

-- name: purged_session
-- A session that nothing finds any more.
SELECT id FROM sheetgrpc_sessions WHERE purged = 1 LIMIT 1;

-- name: sheet_of_session
-- One sheet of a session.
SELECT id FROM sheetgrpc_sheets WHERE session_id = :id LIMIT 1;

-- name: drop_some_references
-- The next references of a sheet.
DELETE FROM sheetgrpc_references
WHERE sheet_id = :sheet_id
    AND position < :limit + (SELECT min(position) FROM sheetgrpc_references WHERE sheet_id = :sheet_id);

-- name: drop_some_diagnostics
-- The next findings of a sheet.
DELETE FROM sheetgrpc_diagnostics
WHERE sheet_id = :sheet_id
    AND position < :limit + (SELECT min(position) FROM sheetgrpc_diagnostics WHERE sheet_id = :sheet_id);

-- name: drop_sheet
-- A sheet and what is left of its analysis.
DELETE FROM sheetgrpc_sheets WHERE id = :sheet_id;

-- name: drop_scope
-- One scope snapshot of a session.
DELETE FROM sheetgrpc_scopes WHERE id = (SELECT id FROM sheetgrpc_scopes WHERE session_id = :id LIMIT 1);

-- name: drop_some_events
-- The next events of a session.
DELETE FROM sheetgrpc_events
WHERE session_id = :id
    AND sequence < :limit + (SELECT min(sequence) FROM sheetgrpc_events WHERE session_id = :id);

-- name: drop_session
-- A session of which nothing else is left.
DELETE FROM sheetgrpc_sessions WHERE id = :id AND purged = 1;

-- name: table_columns
-- The columns of a table or view as it is now; empty if there is none.
SELECT name, type, pk FROM pragma_table_xinfo(:table) WHERE hidden <> 1 ORDER BY cid;

-- name: unique_columns
-- The columns of each full unique index of a table; one on an expression has a column without a name.
SELECT list.name, info.name
FROM pragma_index_list(:table) AS list, pragma_index_info(list.name) AS info
WHERE list."unique" = 1 AND list.partial = 0
ORDER BY list.seq, info.seqno;

-- name: broken_foreign_key
-- The first foreign key that does not hold.
SELECT "table", parent, fkid FROM pragma_foreign_key_check LIMIT 1;

-- name: foreign_key_columns
-- The columns of one foreign key.
SELECT "from" FROM pragma_foreign_key_list(:table) WHERE id = :id ORDER BY seq;

-- name: task
-- One task by its id.
SELECT body FROM sheetgrpc_tasks WHERE id = :id;

-- name: task_of_key
-- The task that a caller made under a key.
SELECT body
FROM sheetgrpc_tasks
WHERE created_by = :created_by AND idempotency_key = :idempotency_key AND idempotency_key <> '';

-- name: tasks
-- A page of tasks, newest first: those that a reader may see, all where there is no reader.
-- Those below are the same from the index of one filter.
SELECT body
FROM sheetgrpc_tasks
WHERE (created_at, id) < (:created_at, :id)
    AND (:kinds = '[]' OR kind IN (SELECT value FROM json_each(:kinds)))
    AND (:states = '[]' OR state IN (SELECT value FROM json_each(:states)))
    AND (:from_role = '' OR from_role = :from_role)
    AND (:to_role = '' OR to_role = :to_role)
    AND (:trace_id = '' OR trace_id = :trace_id)
    AND (:session_id = '' OR session_id = :session_id)
    AND (:parent_id = '' OR parent_id = :parent_id)
    AND (:created_by = '' OR created_by = :created_by)
    AND (
        :reader IS NULL OR created_by = :reader
        OR EXISTS (SELECT 1 FROM json_each(:roles) WHERE value IN (from_role, to_role))
    )
ORDER BY created_at DESC, id DESC
LIMIT :limit;

-- name: tasks_of_session
-- Those of a session.
SELECT body
FROM sheetgrpc_tasks
WHERE session_id = :session_id
    AND (created_at, id) < (:created_at, :id)
    AND (:kinds = '[]' OR kind IN (SELECT value FROM json_each(:kinds)))
    AND (:states = '[]' OR state IN (SELECT value FROM json_each(:states)))
    AND (:from_role = '' OR from_role = :from_role)
    AND (:to_role = '' OR to_role = :to_role)
    AND (:trace_id = '' OR trace_id = :trace_id)
    AND (:parent_id = '' OR parent_id = :parent_id)
    AND (:created_by = '' OR created_by = :created_by)
    AND (
        :reader IS NULL OR created_by = :reader
        OR EXISTS (SELECT 1 FROM json_each(:roles) WHERE value IN (from_role, to_role))
    )
ORDER BY created_at DESC, id DESC
LIMIT :limit;

-- name: tasks_about
-- Those about one task.
SELECT body
FROM sheetgrpc_tasks
WHERE parent_id = :parent_id AND parent_id <> ''
    AND (created_at, id) < (:created_at, :id)
    AND (:kinds = '[]' OR kind IN (SELECT value FROM json_each(:kinds)))
    AND (:states = '[]' OR state IN (SELECT value FROM json_each(:states)))
    AND (:from_role = '' OR from_role = :from_role)
    AND (:to_role = '' OR to_role = :to_role)
    AND (:trace_id = '' OR trace_id = :trace_id)
    AND (:session_id = '' OR session_id = :session_id)
    AND (:created_by = '' OR created_by = :created_by)
    AND (
        :reader IS NULL OR created_by = :reader
        OR EXISTS (SELECT 1 FROM json_each(:roles) WHERE value IN (from_role, to_role))
    )
ORDER BY created_at DESC, id DESC
LIMIT :limit;

-- name: tasks_of_trace
-- Those of a trace.
SELECT body
FROM sheetgrpc_tasks
WHERE trace_id = :trace_id
    AND (created_at, id) < (:created_at, :id)
    AND (:kinds = '[]' OR kind IN (SELECT value FROM json_each(:kinds)))
    AND (:states = '[]' OR state IN (SELECT value FROM json_each(:states)))
    AND (:from_role = '' OR from_role = :from_role)
    AND (:to_role = '' OR to_role = :to_role)
    AND (:session_id = '' OR session_id = :session_id)
    AND (:parent_id = '' OR parent_id = :parent_id)
    AND (:created_by = '' OR created_by = :created_by)
    AND (
        :reader IS NULL OR created_by = :reader
        OR EXISTS (SELECT 1 FROM json_each(:roles) WHERE value IN (from_role, to_role))
    )
ORDER BY created_at DESC, id DESC
LIMIT :limit;

-- name: tasks_for_role
-- Those that ask one role.
SELECT body
FROM sheetgrpc_tasks
WHERE to_role = :to_role
    AND (created_at, id) < (:created_at, :id)
    AND (:kinds = '[]' OR kind IN (SELECT value FROM json_each(:kinds)))
    AND (:states = '[]' OR state IN (SELECT value FROM json_each(:states)))
    AND (:from_role = '' OR from_role = :from_role)
    AND (:trace_id = '' OR trace_id = :trace_id)
    AND (:session_id = '' OR session_id = :session_id)
    AND (:parent_id = '' OR parent_id = :parent_id)
    AND (:created_by = '' OR created_by = :created_by)
    AND (
        :reader IS NULL OR created_by = :reader
        OR EXISTS (SELECT 1 FROM json_each(:roles) WHERE value IN (from_role, to_role))
    )
ORDER BY created_at DESC, id DESC
LIMIT :limit;

-- name: tasks_around_session
-- Tasks made for a session and the one that it serves, each once and as of one moment.
-- With how many are in each state, and the trace of the latter. All of it as a reader may see it.
WITH belonging AS (
    SELECT id, created_at, state, trace_id
    FROM sheetgrpc_tasks
    WHERE session_id = :session_id AND (
        :reader IS NULL OR created_by = :reader
        OR EXISTS (SELECT 1 FROM json_each(:roles) WHERE value IN (from_role, to_role))
    )
    UNION
    SELECT id, created_at, state, trace_id
    FROM sheetgrpc_tasks
    WHERE id = :served AND (
        :reader IS NULL OR created_by = :reader
        OR EXISTS (SELECT 1 FROM json_each(:roles) WHERE value IN (from_role, to_role))
    )
)
SELECT t.body, (
    SELECT json_group_object(state, count)
    FROM (SELECT state, count(*) AS count FROM belonging GROUP BY state)
), (SELECT trace_id FROM belonging WHERE id = :served)
FROM (SELECT id FROM belonging ORDER BY created_at DESC, id DESC LIMIT :limit) AS newest
JOIN sheetgrpc_tasks AS t ON t.id = newest.id
ORDER BY t.created_at DESC, t.id DESC;

-- name: tasks_around_task
-- A task and those about it, likewise.
WITH belonging AS (
    SELECT id, created_at, state, trace_id
    FROM sheetgrpc_tasks
    WHERE id = :id AND (
        :reader IS NULL OR created_by = :reader
        OR EXISTS (SELECT 1 FROM json_each(:roles) WHERE value IN (from_role, to_role))
    )
    UNION
    SELECT id, created_at, state, trace_id
    FROM sheetgrpc_tasks
    WHERE parent_id = :id AND parent_id <> '' AND (
        :reader IS NULL OR created_by = :reader
        OR EXISTS (SELECT 1 FROM json_each(:roles) WHERE value IN (from_role, to_role))
    )
)
SELECT t.body, (
    SELECT json_group_object(state, count)
    FROM (SELECT state, count(*) AS count FROM belonging GROUP BY state)
), (SELECT trace_id FROM belonging WHERE id = :id)
FROM (SELECT id FROM belonging ORDER BY created_at DESC, id DESC LIMIT :limit) AS newest
JOIN sheetgrpc_tasks AS t ON t.id = newest.id
ORDER BY t.created_at DESC, t.id DESC;

-- name: add_task
-- A new task; nothing happens if its caller has one under its key.
INSERT INTO sheetgrpc_tasks (
    id, created_at, updated_at, kind, state, version, from_role, to_role, description, trace_id, created_by,
    idempotency_key, session_id, parent_id, body
)
VALUES (
    :id, :created_at, :updated_at, :kind, :state, :version, :from_role, :to_role, :description, :trace_id, :created_by,
    :idempotency_key, nullif(:session_id, ''), :parent_id, :body
)
ON CONFLICT (created_by, idempotency_key) WHERE idempotency_key <> '' DO NOTHING;

-- name: change_task
-- Compare and set: nothing happens unless the stored version is the one the command read.
UPDATE sheetgrpc_tasks
SET updated_at = :updated_at, state = :state, version = :version, body = :body
WHERE id = :id AND version = :version - 1;

-- name: add_task_event
-- One more change of a task.
INSERT INTO sheetgrpc_task_events (task_id, version, body) VALUES (:task_id, :version, :body);

-- name: task_events
-- The last changes of a task, latest first.
SELECT body FROM sheetgrpc_task_events WHERE task_id = :task_id ORDER BY version DESC LIMIT :limit;

-- name: drop_tasks
-- Tasks that nobody waits for and that nothing has happened to for long enough, oldest first.
DELETE FROM sheetgrpc_tasks
WHERE id IN (
    SELECT id
    FROM sheetgrpc_tasks
    WHERE updated_at <= :before AND (state NOT IN ('PENDING', 'ACTIVE') OR kind = 'NOTIFICATION')
    ORDER BY updated_at
    LIMIT :limit
);

-- name: drop_some_tasks
-- Some tasks of a session.
DELETE FROM sheetgrpc_tasks
WHERE id IN (SELECT id FROM sheetgrpc_tasks WHERE session_id = :id LIMIT :limit);
