"""ApprovalService: each method reads the request, calls the engine once, writes the answer."""

import msgspec

from sheetgrpc.engine.engine import Engine
from sheetgrpc.engine.views import Outcome
from sheetgrpc.server.calls import Call
from sheetgrpc.server.commands import read_envelope, run_command, tell_reply
from sheetgrpc.server.convert import approvals
from sheetgrpc.server.convert.approvals import write_approval
from sheetgrpc.server.convert.form import Form
from sheetgrpc.server.convert.sessions import with_session
from sheetgrpc.server.identity import APPROVER
from sheetgrpc.server.paging import MOMENTS, read_page
from sheetgrpc.v1 import approval_pb2
from sheetgrpc.v1 import approval_service_pb2 as pb


class ApprovalService:
    """Approvals: asked for, decided, read."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def request_approval(self, request: pb.RequestApprovalRequest, call: Call) -> bytes:
        """Asks for an approval."""
        return await run_command(
            self._engine,
            call,
            request,
            approvals.read_request_approval,
            lambda outcome: with_session(pb.RequestApprovalResponse(approval=_approval(outcome)), outcome.session),
        )

    async def decide_approval(self, request: pb.DecideApprovalRequest, call: Call) -> bytes:
        """Decides an approval. Who may has been checked on the way in (identity.py)."""
        form = Form()
        intent = approvals.read_decide_approval(form, request)
        envelope = await read_envelope(form, call, request, target="approval")
        reply = await self._engine.handle(
            msgspec.structs.replace(envelope, approval=intent.approval),
            intent,
            lambda outcome: pb.DecideApprovalResponse(approval=_approval(outcome)).SerializeToString(),
        )
        tell_reply(call, reply)
        return reply.body

    async def get_approval(self, request: pb.GetApprovalRequest, call: Call) -> pb.GetApprovalResponse:
        """Gets an approval."""
        form = Form()
        approval = form.name("approval", request.approval).upper()
        form.done()
        found = await self._engine.approvals.get(approval, call.caller, approver=APPROVER in call.roles)
        return pb.GetApprovalResponse(approval=write_approval(found))

    async def list_approvals(self, request: pb.ListApprovalsRequest, call: Call) -> pb.ListApprovalsResponse:
        """Lists approvals."""
        form = Form()
        page = read_page(form, request, MOMENTS, call.max_send_bytes)
        wanted = approvals.read_approval_filter(form, request)
        form.done()
        approver = APPROVER in call.roles
        found = await self._engine.approvals.find(wanted, page.wanted, page.after, call.caller, approver=approver)
        listed, token = page.write(found, write_approval, lambda _, one: (one.requested_at, one.id))
        return pb.ListApprovalsResponse(approvals=listed, next_page_token=token)


def _approval(outcome: Outcome) -> approval_pb2.Approval | None:
    return write_approval(outcome.approval) if outcome.approval is not None else None
