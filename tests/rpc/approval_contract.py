"""The part of the wire's contract that is about approvals and counts, in the notation of test_protos.py."""

from enum import StrEnum

from sheetgrpc.session.approvals import ApprovalState, Verdict

CHANGING = "request_id expected_version:int64?"
PAGED = "page_size:int32 page_token"
APPROVAL_FIELDS = {
    "StatusCount": "status:StatementStatus count:int32",
    "TableCounts": "table created:int32 updated:int32 unchanged:int32 deleted:int32",
    "Approval": (
        "id session_id state:ApprovalState plan_digest plan_execution_id sheet_id sheet_digest tables:TableCounts*"
        " requested_by notes request_time:Timestamp expire_time:Timestamp approvers_needed:int32"
        " decisions:ApprovalDecision* decide_time:Timestamp used_by_execution_id use_time:Timestamp"
    ),
    "ApprovalDecision": "approver verdict:ApprovalVerdict notes time:Timestamp",
    "RequestApprovalRequest": f"session plan_digest notes {CHANGING}",
    "RequestApprovalResponse": "approval:Approval session:Session",
    "DecideApprovalRequest": "approval verdict:ApprovalVerdict notes request_id",
    "DecideApprovalResponse": "approval:Approval",
    "GetApprovalRequest": "approval",
    "GetApprovalResponse": "approval:Approval",
    "ListApprovalsRequest": f"states:ApprovalState* session plan_digest {PAGED}",
    "ListApprovalsResponse": "approvals:Approval* next_page_token",
}
APPROVAL_ENUMS = {
    "ApprovalState": ("APPROVAL_STATE_", "PENDING APPROVED REJECTED"),
    "ApprovalVerdict": ("APPROVAL_VERDICT_", "APPROVE REJECT"),
}
APPROVAL_TWINS: list[tuple[type[StrEnum], str]] = [(ApprovalState, "ApprovalState"), (Verdict, "ApprovalVerdict")]
