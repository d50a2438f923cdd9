"""Whether an execution needs an approval, and has one that will do: judged at the submit and again inside the run.

The submit is judged by its plan; without a plan by what its statements may do, which is more. The run is judged by what
it has really done, and uses its approval in the transaction that commits it: a run that is rolled back has used none.
"""

from collections.abc import Sequence

from sheetgrpc.catalog.model import Catalog, Verb, VerbKind
from sheetgrpc.engine.context import Context
from sheetgrpc.engine.dry_runs import find_plan
from sheetgrpc.errors import NotAllowed, NotFound, Reason
from sheetgrpc.planning.model import ErrorCode, Plan
from sheetgrpc.session import approvals
from sheetgrpc.session.approvals import Approval, Policy, Touched, read_policy
from sheetgrpc.session.model import Session
from sheetgrpc.store.records import ApprovalChange, ExecutionError, ExecutionRow, TableCounts

_REMOVES = frozenset({VerbKind.DELETE, VerbKind.UNLINK})
_BY_MANY = frozenset({VerbKind.UPDATE, *_REMOVES})
_CALL = "call"  # a verb of this kind runs code, which may do anything


class Refused(Exception):  # reads as what it is
    """A run that needs an approval has none that will do. Never leaves the engine."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        message = f"{why}; everything was rolled back"
        self.error = ExecutionError(ErrorCode.PERMISSION_DENIED, message)


def touched(tables: Sequence[TableCounts]) -> tuple[Touched, ...]:
    """Counts as a policy judges them."""
    return tuple(
        Touched(one.table, created=one.created, updated=one.updated, deleted=one.deleted, unchanged=one.unchanged)
        for one in tables
    )


async def check_submit(
    context: Context, session: Session, *, plan_digest: str, approval_id: str, submitter: str
) -> Approval | None:
    """The approval that the submit comes with, None where it needs none.

    Raises NotAllowed(APPROVAL_REQUIRED), NotFound where another caller asked for that approval.
    """
    if approval_id:
        return await _check_approval(context, session, plan_digest, approval_id, submitter)
    policy = read_policy(context.settings.approve)
    if not policy or session.sheet is None:
        return None
    if why := policy.covers(()):
        raise approvals.required(f"the execution needs an approval: {why}")
    planned = await find_plan(context, session.id, plan_digest) if plan_digest else None
    if planned is not None and planned.sheet_id == session.sheet.id:
        if why := policy.covers(touched(planned.tables)):
            raise approvals.required(f"the execution needs an approval: {why}", planDigest=plan_digest)
        return None
    if why := _may_cover(policy, context.catalog, await _plan(context, session)):
        text = f"the execution may need an approval, as {why}; give plan_digest to have it judged by what it would do"
        raise approvals.required(text)
    return None


async def check_run(
    context: Context, execution: ExecutionRow, session: Session, tables: Sequence[TableCounts]
) -> ApprovalChange | None:
    """What becomes of the approval of a run that is about to commit. Raises Refused."""
    if not execution.approval_id:
        why = read_policy(context.settings.approve).covers(touched(tables))
        if why:
            raise Refused(f"the execution needed an approval and had none: {why}")
        return None
    # The session is held until this transaction ends, and with it every other command about the approval.
    approval = await context.store.approval(execution.approval_id)
    if approval.plan_digest != execution.plan_digest:
        raise Refused(f"approval {approval.id} is for another plan")
    try:
        approvals.check_use(
            approval,
            session_id=session.id,
            sheet_digest=execution.sheet_digest,
            catalog_digest=context.catalog.digest,
            submitter=execution.submitted_by,
            now=execution.started_at or context.draws.now(),
        )
    except NotAllowed as error:
        raise Refused(error.message.partition(";")[0]) from error
    return ApprovalChange(approvals.use(approval, execution.id, context.draws.now()))


async def _check_approval(
    context: Context, session: Session, plan_digest: str, approval_id: str, submitter: str
) -> Approval:
    approval = await context.store.approval(approval_id)
    if approval.requested_by != submitter:
        text = f'there is no approval "{approval_id}"'
        raise NotFound(Reason.APPROVAL_NOT_FOUND, text, resource=("approval", approval_id))
    if plan_digest and plan_digest != approval.plan_digest:
        raise approvals.required(f"approval {approval.id} is for another plan", approval=approval.id)
    approvals.check_use(
        approval,
        session_id=session.id,
        sheet_digest=session.sheet.digest if session.sheet is not None else "",
        catalog_digest=context.catalog.digest,
        submitter=submitter,
        now=context.draws.now(),
    )
    return approval


async def _plan(context: Context, session: Session) -> Plan | None:
    if session.sheet is None:
        return None
    sheet = await context.store.sheet(session.sheet.id)
    return (await context.analyse(sheet, session)).plan


def _may_cover(policy: Policy, catalog: Catalog, plan: Plan | None) -> str:
    """Why these statements may do what needs an approval; "" where they cannot."""
    if plan is None:
        return "it was not planned"
    statements = 0
    for group in plan.groups:
        verb = catalog.verbs[group.verb]
        if verb.kind.value == _CALL:
            return f"{group.verb} runs code, which may do anything"
        if not verb.writes:
            continue
        statements += len(group.indexes)
        if policy.deletes and verb.kind in _REMOVES:
            return f"{group.verb} may remove rows"
        if verb.table in policy.tables:
            return f"{group.verb} may change {verb.table}"
        if policy.rows is not None and finds_many(catalog, verb):
            return f"{group.verb} may change many rows"
    if policy.rows is not None and statements > policy.rows:
        return f"{statements:,} statements may change more than {policy.rows:,} rows"
    return ""


def finds_many(catalog: Catalog, verb: Verb) -> bool:
    """Whether one statement may change several rows: it selects them by neither their key nor their natural key."""
    if verb.kind not in _BY_MANY:
        return False
    columns = {argument.column for argument in verb.arguments if argument.name in verb.by}
    entity = next((one for one in catalog.entities.values() if one.table == verb.table), None)
    named = [other.natural_key for other in catalog.verbs.values() if other.table == verb.table]
    if entity is not None:
        named += [(entity.key.column,), entity.natural_key]
    return not any(set(one) <= columns for one in named if one)
