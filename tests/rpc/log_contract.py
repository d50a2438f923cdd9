"""The part of the wire's contract that is about finding sessions and their logs, in the notation of test_protos.py."""

CHANGING = "request_id expected_version:int64?"
PAGED = "page_size:int32 page_token"
LOG_FIELDS = {
    "GetSessionRequest": "session recent_events:int32 client:Client",
    "GetSessionResponse": "session:Session recent_events:SessionEvent* warnings*",
    "ListSessionsRequest": (
        f"states:SessionState* lifecycles:SessionLifecycle* label role task_id parent_id {PAGED} client_name"
        " client_target created_after:Timestamp created_before:Timestamp"
    ),
    "AppendSessionEventsRequest": f"session entries:SessionEntry* {CHANGING}",
    "AppendSessionEventsResponse": "session:Session events:SessionEvent*",
    "ListSessionEventsRequest": f"session after_sequence:int64 types* {PAGED}",
    "ListSessionEventsResponse": "events:SessionEvent* next_page_token",
    "SessionEvent": "sequence:int64 time:Timestamp type payload:Struct actor",
    "SessionEntry": "kind:SessionEntryKind text data:Struct",
}
LOG_ENUMS = {"SessionEntryKind": ("SESSION_ENTRY_KIND_", "PROMPT SYSTEM COMMAND WARN ALERT")}
