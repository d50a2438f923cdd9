"""Reads requests about approvals, and writes approvals as messages."""

from sheetgrpc.engine import intents
from sheetgrpc.server.convert.enums import APPROVAL_STATES, VERDICTS
from sheetgrpc.server.convert.form import Form
from sheetgrpc.server.convert.plans import read_digest
from sheetgrpc.server.convert.values import write_time
from sheetgrpc.session.approvals import Approval, Decision, Verdict
from sheetgrpc.store.records import ApprovalFilter
from sheetgrpc.v1 import approval_pb2, approval_service_pb2, execution_pb2


def read_request_approval(form: Form, request: approval_service_pb2.RequestApprovalRequest) -> intents.RequestApproval:
    """RequestApproval."""
    if not request.plan_digest:
        form.refuse("plan_digest", "must not be empty; PlanSheet's execution has it")
    return intents.RequestApproval(
        plan_digest=read_digest(form, request.plan_digest), notes=form.text("notes", request.notes)
    )


def read_decide_approval(form: Form, request: approval_service_pb2.DecideApprovalRequest) -> intents.DecideApproval:
    """DecideApproval."""
    return intents.DecideApproval(
        approval=form.name("approval", request.approval).upper(),
        verdict=VERDICTS.read(form, "verdict", request.verdict) or Verdict.REJECT,
        notes=form.text("notes", request.notes),
    )


def read_approval_filter(form: Form, request: approval_service_pb2.ListApprovalsRequest) -> ApprovalFilter:
    """The filters of ListApprovals; the session as it was named."""
    return ApprovalFilter(
        states=APPROVAL_STATES.read_all(form, "states", request.states),
        session_id=form.name("session", request.session, required=False),
        plan_digest=read_digest(form, request.plan_digest),
    )


def write_approval(approval: Approval) -> approval_pb2.Approval:
    """An approval with its decisions."""
    return approval_pb2.Approval(
        id=approval.id,
        session_id=approval.session_id,
        state=APPROVAL_STATES.write(approval.state),
        plan_digest=approval.plan_digest,
        plan_execution_id=approval.execution_id,
        sheet_id=approval.sheet_id,
        sheet_digest=approval.sheet_digest,
        tables=[
            execution_pb2.TableCounts(
                table=one.table,
                created=one.created,
                updated=one.updated,
                unchanged=one.unchanged,
                deleted=one.deleted,
            )
            for one in approval.touched
        ],
        requested_by=approval.requested_by,
        notes=approval.notes,
        request_time=write_time(approval.requested_at),
        expire_time=write_time(approval.expires_at),
        approvers_needed=approval.needed,
        decisions=map(_write_decision, approval.decisions),
        decide_time=write_time(approval.decided_at),
        used_by_execution_id=approval.used_by,
        use_time=write_time(approval.used_at),
    )


def _write_decision(decision: Decision) -> approval_pb2.ApprovalDecision:
    return approval_pb2.ApprovalDecision(
        approver=decision.approver,
        verdict=VERDICTS.write(decision.verdict),
        notes=decision.notes,
        time=write_time(decision.at),
    )
