"""The part of the wire's contract that is about tasks, in the notation of test_protos.py."""

TASK_RPCS = "CreateTask GetTask? ListTasks? UpdateTask FetchStatus?"
TASK_FIELDS = {
    "Task": (
        "id kind:TaskKind state:TaskState version:int64 description from_role to_role data:Struct trace_id"
        " idempotency_key session_id parent_id created_by notes create_time:Timestamp update_time:Timestamp"
        " end_time:Timestamp next_states:TaskState*"
    ),
    "TaskEvent": "version:int64 time:Timestamp state:TaskState caller notes",
    "TaskStateCount": "state:TaskState count:int32",
    "CreateTaskRequest": (
        "kind:TaskKind description from_role to_role data:Struct trace_id session parent idempotency_key request_id"
    ),
    "CreateTaskResponse": "task:Task",
    "GetTaskRequest": "task",
    "GetTaskResponse": "task:Task events:TaskEvent*",
    "ListTasksRequest": (
        "kinds:TaskKind* states:TaskState* from_role to_role trace_id session parent created_by page_size:int32"
        " page_token"
    ),
    "ListTasksResponse": "tasks:Task* next_page_token",
    "UpdateTaskRequest": "task state:TaskState data:Struct notes request_id expected_version:int64?",
    "UpdateTaskResponse": "task:Task",
    "FetchStatusRequest": "session? task?",
    "FetchStatusResponse": "status:Status",
    "Status": (
        "session_id task_id role session_state:SessionState lifecycle:SessionLifecycle task_state:TaskState legend"
        " metadata metadata_truncated:bool trace_id tasks:Task* task_counts:TaskStateCount* create_time:Timestamp"
        " update_time:Timestamp"
    ),
}
TASK_ENUMS = {
    "TaskKind": ("TASK_KIND_", "NOTIFICATION APPROVAL ROUTING"),
    "TaskState": ("TASK_STATE_", "PENDING ACTIVE COMPLETED FAILED CANCELLED APPROVED REJECTED"),
}
