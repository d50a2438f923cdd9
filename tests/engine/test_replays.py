"""What a replay may not go around: the approvals' policy, the queue, dry runs that leave nothing to do again."""

import pytest
from tests.engine.hands import Hands
from tests.engine.places import Place
from tests.engine.stopping import cancel
from tests.engine.test_approvals import SHIPS, refusal, say
from tests.engine.test_retries import gone, replay
from tests.engine.troubling import Stepped, stepped

from sheetgrpc.engine import intents
from sheetgrpc.errors import Reason
from sheetgrpc.session.approvals import Approval
from sheetgrpc.session.model import ExecutionState, State
from sheetgrpc.store.records import ExecutionFilter, ExecutionRow

HOUR = 3600
GUARDED = {"approve": "always", "tokens": "-", "approval_ttl": float(HOUR)}


async def planned(fleet: Stepped, session: str) -> ExecutionRow:
    """A dry run of the session's sheet, ended."""
    outcome = await fleet.call(session, intents.PlanSheet())
    assert outcome.execution is not None
    assert await fleet.step()
    return await fleet.row(outcome.execution.id)


async def failed_with_approval(fleet: Stepped) -> tuple[str, Approval]:
    """An execution that had an approval and committed nothing."""
    session = await fleet.ready(SHIPS)
    plan = await planned(fleet, session)
    outcome = await fleet.call(session, intents.RequestApproval(plan.plan_digest))
    assert outcome.approval is not None
    approval = await say(fleet, outcome.approval.id)
    execution = await fleet.submit(session, approval_id=approval.id)
    fleet.trouble.give("apply", gone)
    assert await fleet.step()
    assert (await fleet.row(execution)).state is ExecutionState.FAILED
    return execution, approval


@pytest.mark.parametrize("parsed", [True, False], ids=["READY", "EXECUTED"])
async def test_a_replay_of_what_the_policy_covers_needs_an_approval(path: Place, parsed: bool) -> None:
    """In whichever state the first run left its session; nothing is queued."""
    hands = Hands()
    async with stepped(path, hands) as fleet:
        session = await fleet.ready(SHIPS)
        execution = await fleet.submit(session)
        await cancel(fleet, execution)
        if parsed:
            await fleet.call(session, intents.ParseSheet())
        state = await fleet.state(session)
        assert (state is State.READY) is parsed
    async with stepped(path, hands, **GUARDED) as fleet:
        error = await refusal(replay(fleet, execution))
        assert error.reason is Reason.APPROVAL_REQUIRED
        assert [row.id for row in await fleet.engine.list_executions(ExecutionFilter(), 9, None)] == [execution]
        assert await fleet.state(session) is state


async def test_a_replay_uses_the_approval_that_its_original_left_unused(path: Place) -> None:
    async with stepped(path, **GUARDED) as fleet:
        execution, approval = await failed_with_approval(fleet)
        again = await replay(fleet, execution)
        row = await fleet.row(again)
        assert (row.approval_id, row.plan_digest) == (approval.id, approval.plan_digest)
        assert await fleet.step()
        assert (await fleet.row(again)).state is ExecutionState.SUCCEEDED
        assert (await fleet.engine.store.approval(approval.id)).used_by == again


async def test_a_replay_with_an_approval_that_has_expired_is_refused(path: Place) -> None:
    hands = Hands()
    async with stepped(path, hands, **GUARDED) as fleet:
        execution, _ = await failed_with_approval(fleet)
        hands.go(HOUR)
        error = await refusal(replay(fleet, execution))
        assert (error.reason, "has expired" in error.message) == (Reason.APPROVAL_REQUIRED, True)


async def test_a_replay_keeps_the_budgets_and_the_plan_of_its_original(path: Place) -> None:
    """Other rows by now: PLAN_STALE, as of the first run."""
    async with stepped(path) as fleet:
        session = await fleet.ready(SHIPS)
        plan = await planned(fleet, session)
        bound = {"plan_digest": plan.plan_digest, "max_rows_affected": 2, "table_budgets": {"ships": 1}}
        execution = await fleet.submit(session, **bound)
        await cancel(fleet, execution)
        again = await replay(fleet, execution)
        row = await fleet.row(again)
        assert {name: getattr(row, name) for name in bound} == bound
        fleet.change("INSERT INTO ships (ship_id, name) VALUES ('11111111-1111-4111-8111-111111111111', 'Sea Star')")
        assert await fleet.step()
        ended = await fleet.row(again)
        assert ended.error is not None
        assert (ended.state, ended.error.code) == (ExecutionState.FAILED, "PLAN_STALE")


async def test_a_dry_run_is_not_replayed_and_is_no_dead_letter(path: Place) -> None:
    async with stepped(path) as fleet:
        session = await fleet.ready(SHIPS)
        fleet.trouble.give("apply", gone)
        plan = await planned(fleet, session)
        assert plan.state is ExecutionState.FAILED
        error = await refusal(replay(fleet, plan.id))
        assert (error.reason, "dry run" in error.message) == (Reason.EXECUTION_NOT_REPLAYABLE, True)
        assert await fleet.engine.list_executions(ExecutionFilter(dead_letters_only=True), 9, None) == []
        assert await fleet.state(session) is State.READY
