"""The part of the wire's contract that is about plans and submits, in the notation of test_protos.py."""

CHANGING = "request_id expected_version:int64?"
PAGED = "page_size:int32 page_token"
BOUND = "priority:int32 plan_digest approval_id max_rows_affected:int64? table_budgets:map<string,int64>"
PLAN_FIELDS = {
    "SubmitSheetRequest": f"session confirm:bool mode:ExecutionMode timeout:Duration {BOUND} {CHANGING}",
    "SubmitSheetResponse": "execution:Execution session:Session",
    "ExecuteSheetRequest": (
        f"session confirm:bool mode:ExecutionMode timeout:Duration include_results:bool {BOUND} {CHANGING}"
    ),
    "PlanSheetRequest": f"session timeout:Duration {CHANGING}",
    "PlanSheetResponse": "execution:Execution session:Session",
    "ListEffectsRequest": f"execution tables* kinds:EffectKind* {PAGED}",
    "ListEffectsResponse": "effects:Effect* next_page_token",
    "Effect": "statement_index:int32 table kind:EffectKind entity_type key display before:Struct after:Struct",
    "EffectChange": "planned:Effect actual:Effect",
}
