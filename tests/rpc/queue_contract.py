"""The queue's part of the wire: fields and enum values as test_protos.py has them."""

QUEUE_FIELDS = {
    "Execution": (
        "id session_id sheet_id sheet_digest mode:ExecutionMode state:ExecutionState epoch:int64"
        " phases_completed:int32 phases_total:int32 statements_total:int32 status_counts:StatusCount*"
        " tables:TableCounts* error:ExecutionError submit_time:Timestamp start_time:Timestamp end_time:Timestamp"
        " cancelled_by cancel_time:Timestamp priority:int32 retry_count:int32 deferral_count:int32"
        " next_attempt_time:Timestamp replay_of dry_run:bool plan_digest trusted_modules:TrustedModule* submitted_by"
        " approval_id"
    ),
    "ReplayExecutionRequest": "execution confirm:bool request_id expected_version:int64?",
    "ReplayExecutionResponse": "execution:Execution session:Session",
    "ListReceiptsRequest": "execution page_size:int32 page_token",
    "ListReceiptsResponse": "receipts:Receipt* next_page_token",
    "Receipt": (
        "execution_id epoch:int64 outcome:AttemptOutcome sheet_digest start_time:Timestamp end_time:Timestamp"
        " phases_completed:int32 tables:TableCounts* error:ExecutionError"
    ),
    "PingResponse": "time:Timestamp",
    "GetQueueStatsResponse": "queue_stats:QueueStats",
    "QueueStats": (
        "queue:Queue state_counts:ExecutionStateCount* execution_count:int64 max_running:int32 running:int32"
        " max_queued:int32 oldest_queued_time:Timestamp oldest_queued_age:Duration retry_count:int64"
        " deferral_count:int64 breakers:Breaker*"
    ),
    "Breaker": "module state:BreakerState consecutive_failures:int32 paused_by next_probe_time:Timestamp",
    "ExecutionStateCount": "state:ExecutionState count:int64",
    "Queue": "mode:QueueMode changed_by change_time:Timestamp",
    "PauseQueueRequest": "mode:QueueMode request_id module",
    "PauseQueueResponse": "queue:Queue",
    "ResumeQueueRequest": "request_id module",
    "ResumeQueueResponse": "queue:Queue",
}

QUEUE_ENUMS = {
    "AttemptOutcome": (
        "ATTEMPT_OUTCOME_",
        "SUCCEEDED PARTIAL ROLLED_BACK FAILED CANCELLED TIMED_OUT INTERRUPTED RETRIED DEFERRED",
    ),
    "BreakerState": ("BREAKER_STATE_", "CLOSED OPEN HALF_OPEN"),
    "QueueMode": ("QUEUE_MODE_", "RUNNING HOLD REJECT DRAIN"),
}
