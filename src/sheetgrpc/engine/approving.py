"""The changing calls about approvals, and a submit that brings one; steps of the one handler. consent.py has the rules.

A decision is written with an event of the session that it is about, under that session's lock: so of two decisions, or
of a decision and the run that uses the approval, each sees what the other has committed.
"""

import msgspec

from sheetgrpc.clock import Draw
from sheetgrpc.engine import consent, intents
from sheetgrpc.engine.context import Context
from sheetgrpc.engine.dry_runs import find_plan
from sheetgrpc.engine.handling import Step
from sheetgrpc.engine.plan_steps import SubmitPlanned
from sheetgrpc.engine.steps import _NO_DRAW, Simple
from sheetgrpc.engine.views import Outcome
from sheetgrpc.errors import NotAllowed, NotFound, Reason
from sheetgrpc.session import approvals, commands
from sheetgrpc.session.approvals import Approval, Decision
from sheetgrpc.session.model import Session
from sheetgrpc.store.records import ApprovalChange, ApprovalFilter, Changes, ExecutionRow, SessionRow


def step(
    context: Context, intent: intents.SubmitSheet | intents.RequestApproval | intents.DecideApproval, caller: str
) -> Step:
    """The step of an intent."""
    match intent:
        case intents.SubmitSheet():
            return SubmitApproved(context, intent, caller)
        case intents.RequestApproval():
            return RequestApproval(context, intent, caller)
        case intents.DecideApproval():
            return DecideApproval(context, intent, caller)


class SubmitApproved(SubmitPlanned):
    """Queues the run of the current sheet, with an approval where it needs one."""

    def __init__(self, context: Context, intent: intents.SubmitSheet, caller: str) -> None:
        super().__init__(context, intent)
        self._caller = caller
        self._approval: Approval | None = None

    async def judge(self, session: Session) -> None:
        """A submit that needs an approval and has none that will do is refused: no execution waits."""
        await super().judge(session)
        self._approval = await consent.check_submit(
            self.context,
            session,
            plan_digest=self._intent.plan_digest,
            approval_id=self._intent.approval_id,
            submitter=self._caller,
        )

    def changes(self, session: Session, draw: Draw, changes: Changes) -> None:
        """The execution, bound to the plan that was approved whether or not the submit names it."""
        super().changes(session, draw, changes)
        approval = self._approval
        if approval is not None and changes.execution is not None:
            changes.execution = msgspec.structs.replace(
                changes.execution, approval_id=approval.id, plan_digest=approval.plan_digest
            )


class RequestApproval(Simple):
    """Asks others to approve a plan of the current sheet."""

    def __init__(self, context: Context, intent: intents.RequestApproval, caller: str) -> None:
        super().__init__(context, commands.ConfirmIntent())
        self._intent = intent
        self._caller = caller
        self._plan: ExecutionRow | None = None

    async def prepare(self, row: SessionRow | None) -> None:
        """Finds the plan."""
        if row is None:
            return
        self.refuse_early(row.session, self.command(_NO_DRAW))
        sheet, digest = row.session.sheet, self._intent.plan_digest
        planned = await find_plan(self.context, row.session.id, digest)
        if planned is None or sheet is None or planned.sheet_id != sheet.id:
            text = "the session's sheet has no plan of this digest that succeeded; call PlanSheet, and give its digest"
            raise NotAllowed(Reason.ACTION_NOT_ALLOWED, text, metadata={"planDigest": digest})
        self._plan = planned

    def command(self, draw: Draw) -> commands.Command:
        """The approval, under the draw's id."""
        return commands.RequestApproval(
            approval_id=draw.id,
            plan_digest=self._intent.plan_digest,
            catalog_digest=self.context.catalog.digest,
        )

    def changes(self, session: Session, draw: Draw, changes: Changes) -> None:
        """The approval, pending."""
        plan = self._plan
        if plan is None:
            raise RuntimeError("prepare() comes first")
        settings = self.context.settings
        approval = Approval(
            id=draw.id,
            session_id=session.id,
            execution_id=plan.id,
            sheet_id=plan.sheet_id,
            sheet_digest=plan.sheet_digest,
            plan_digest=plan.plan_digest,
            catalog_digest=self.context.catalog.digest,
            requested_by=self._caller,
            requested_at=draw.now,
            expires_at=draw.now + settings.approval_ttl_us,
            needed=settings.approvers,
            touched=consent.touched(plan.tables),
            notes=self._intent.notes,
        )
        changes.approval = ApprovalChange(approval)

    def outcome(self, row: SessionRow, changes: Changes) -> Outcome:
        """The session and the approval."""
        return Outcome(self.context.view(row), approval=_approval(changes))


class DecideApproval(Simple):
    """Takes what an approver says."""

    def __init__(self, context: Context, intent: intents.DecideApproval, caller: str) -> None:
        super().__init__(context, commands.ConfirmIntent())
        self._intent = intent
        self._caller = caller
        self._before: Approval | None = None
        self._after: Approval | None = None

    async def prepare(self, row: SessionRow | None) -> None:
        """Reads the approval: while the session has this version, nobody changes it."""
        self._before = await self.context.store.approval(self._intent.approval)
        self._decide(self.context.draws.now())
        if row is not None:
            self.refuse_early(row.session, self.command(_NO_DRAW))

    def command(self, draw: Draw) -> commands.Command:
        """What was said, and what follows."""
        after = self._decide(draw.now) if draw.id else self._after
        if after is None:
            raise RuntimeError("prepare() comes first")
        return commands.DecideApproval(approval_id=after.id, verdict=self._intent.verdict, state=after.state)

    def changes(self, session: Session, draw: Draw, changes: Changes) -> None:  # noqa: ARG002  # the step's form
        """The approval with the decision."""
        if self._after is None:
            raise RuntimeError("command() comes first")
        changes.approval = ApprovalChange(self._after, self._after.decisions[-1])

    def outcome(self, row: SessionRow, changes: Changes) -> Outcome:
        """The approval; the session is not the approver's."""
        return Outcome(self.context.view(row), approval=_approval(changes))

    def _decide(self, now: int) -> Approval:
        if self._before is None:
            raise RuntimeError("prepare() comes first")
        decision = Decision(self._caller, self._intent.verdict, self._intent.notes, now)
        self._after = approvals.decide(self._before, decision)
        return self._after


class Approvals:
    """Approvals, read. Whoever asked for one sees it, and whoever may decide it."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def get(self, approval_id: str, caller: str, *, approver: bool) -> Approval:
        """NotFound where it is neither."""
        approval = await self._context.store.approval(approval_id)
        if not approver and approval.requested_by != caller:
            text = f'there is no approval "{approval_id}"'
            raise NotFound(Reason.APPROVAL_NOT_FOUND, text, resource=("approval", approval_id))
        return approval

    async def find(
        self, wanted: ApprovalFilter, limit: int, before: tuple[int, str] | None, caller: str, *, approver: bool
    ) -> list[Approval]:
        """Newest asked for first. The session of the filter is named as in any call."""
        store = self._context.store
        if wanted.session_id:
            named = await store.session(wanted.session_id, None if approver else caller)
            wanted = msgspec.structs.replace(wanted, session_id=named.session.id)
        asked = msgspec.structs.replace(wanted, requested_by=None if approver else caller)
        return await store.approvals(asked, limit, before)

    async def reader(self, caller: str, *, approver: bool, execution_id: str = "", sheet_id: str = "") -> str | None:
        """Whose things a read of this plan, or of its sheet, may be of: None, whoever's, for those who may decide it.

        What nobody has asked an approval for is the caller's own affair, approver or not.
        """
        if not approver or not (execution_id or sheet_id):
            return caller
        wanted = ApprovalFilter(execution_id=execution_id.upper(), sheet_id=sheet_id.upper())
        return None if await self._context.store.approvals(wanted, 1, None) else caller


def _approval(changes: Changes) -> Approval | None:
    return changes.approval.approval if changes.approval is not None else None
