-- Lists by client, and an index for every filter of a list that names something: a page of the few sessions that match
-- is read from the index, however many there are that do not. Partial, because most sessions leave most of these empty:
-- they pay nothing. The columns are those of the body, as for those before.
ALTER TABLE sheetgrpc_sessions ADD COLUMN client_name text NOT NULL DEFAULT '';
ALTER TABLE sheetgrpc_sessions ADD COLUMN client_target text NOT NULL DEFAULT '';

UPDATE sheetgrpc_sessions
SET
    client_name = coalesce(json_extract(CAST(body AS text), '$.client.name'), ''),
    client_target = coalesce(json_extract(CAST(body AS text), '$.client.target'), '');

CREATE INDEX sheetgrpc_sessions_by_client_name ON sheetgrpc_sessions (client_name, created_at, id) WHERE client_name <> '';
CREATE INDEX sheetgrpc_sessions_by_client_target ON sheetgrpc_sessions (client_target, created_at, id) WHERE client_target <> '';
CREATE INDEX sheetgrpc_sessions_by_role ON sheetgrpc_sessions (role, created_at, id) WHERE role <> '';
CREATE INDEX sheetgrpc_sessions_by_task ON sheetgrpc_sessions (task_id, created_at, id) WHERE task_id <> '';
CREATE INDEX sheetgrpc_sessions_by_parent ON sheetgrpc_sessions (parent_id, created_at, id) WHERE parent_id <> '';
