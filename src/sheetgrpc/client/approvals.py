"""Approvals of plans: asked for through a session's handle, decided and listed here."""

from collections.abc import AsyncIterator, Sequence
from typing import Unpack

from sheetgrpc.client.calls import Caller, Creating, Reading
from sheetgrpc.client.pages import PAGE_SIZE, pages
from sheetgrpc.client.stubs import Stubs
from sheetgrpc.client.words import ApprovalWord, VerdictWord
from sheetgrpc.v1.approval_pb2 import Approval, ApprovalState, ApprovalVerdict
from sheetgrpc.v1.approval_service_pb2 import (
    DecideApprovalRequest,
    GetApprovalRequest,
    ListApprovalsRequest,
)


class Approvals:
    """Approvals: decided, found. A session asks for one of its own (Session.request_approval)."""

    def __init__(self, caller: Caller, stubs: Stubs) -> None:
        self._caller = caller
        self._stubs = stubs

    async def decide(
        self, approval: str, verdict: VerdictWord, *, notes: str = "", **options: Unpack[Creating]
    ) -> Approval:
        """Say yes or no; for callers with the role approver, other than the one that asked."""
        number = ApprovalVerdict.Value(f"APPROVAL_VERDICT_{verdict}")
        request = DecideApprovalRequest(approval=approval, verdict=number, notes=notes)
        reply = await self._caller.command(self._stubs.approvals.DecideApproval, request, options)
        return reply.response.approval

    async def get(self, approval: str, **options: Unpack[Reading]) -> Approval:
        """One approval with what was said."""
        request = GetApprovalRequest(approval=approval)
        return (await self._caller.read(self._stubs.approvals.GetApproval, request, options)).approval

    def list(
        self,
        *,
        states: Sequence[ApprovalWord] = (),
        session: str = "",
        plan_digest: str = "",
        page_size: int = PAGE_SIZE,
        **options: Unpack[Reading],
    ) -> AsyncIterator[Approval]:
        """Approvals that match every filter given, newest first; an approver sees everybody's."""
        numbers = [ApprovalState.Value(f"APPROVAL_STATE_{state}") for state in states]
        request = ListApprovalsRequest(states=numbers, session=session, plan_digest=plan_digest, page_size=page_size)

        async def fetch(token: str) -> tuple[Sequence[Approval], str]:
            request.page_token = token
            answer = await self._caller.read(self._stubs.approvals.ListApprovals, request, options)
            return answer.approvals, answer.next_page_token

        return pages(fetch)
