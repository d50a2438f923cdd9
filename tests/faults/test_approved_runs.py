"""SIGKILL at every point of a run that was approved: its approval is used with what it commits, or not at all.

What is left of it still holds for that very content alone. tests/replicas has the same on PostgreSQL.
"""

import random
import shutil
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.faults.cases import _EARLIER as EARLIER
from tests.faults.cases import _SHEET as SHEET
from tests.faults.cases import RUN, TARGET, Case, check_sound, encode, make, opened, rows, run_waiting
from tests.faults.crashing import Crasher

from sheetgrpc.clock import Draws
from sheetgrpc.engine import intents
from sheetgrpc.engine.engine import Engine
from sheetgrpc.engine.intents import Envelope, Intent
from sheetgrpc.errors import NotAllowed, PermissionDenied, Reason
from sheetgrpc.session.approvals import Verdict
from sheetgrpc.store.records import ExecutionFilter

DAY = 86_400_000_000  # microseconds
PLANNED = Case(
    intent=intents.SubmitSheet(confirm=True),
    before=(intents.ImportSheet(SHEET), intents.ParseSheet(), intents.PlanSheet()),
)


async def approve(path: Path) -> tuple[str, str]:
    """Leaves an execution queued, with an approval; both ids."""
    await make(path, PLANNED)
    draws = drawn(2)
    async with opened(path, draws=draws) as engine:
        planned = await run_waiting(engine)
    async with opened(path, draws=draws) as engine:
        asked = await say(engine, "anna", intents.RequestApproval(planned.plan_digest))
        approval = asked["approval"]["id"]
        await say(engine, "pia", intents.DecideApproval(approval, Verdict.APPROVE), approval)
        await say(engine, "anna", intents.SubmitSheet(confirm=True, approval_id=approval))
        (execution, *_) = await engine.list_executions(ExecutionFilter(), 1, None)
    return approval, execution.id


def drawn(seed: int, later: int = 0) -> Draws:
    """So many microseconds later than the database was made."""
    return Draws(lambda: EARLIER + later, random.Random(seed).getrandbits)


async def say(engine: Engine, caller: str, intent: Intent, approval: str = "") -> Any:
    """A command of a caller's about the session, or about an approval; its answer as a mapping."""
    envelope = Envelope(caller, type(intent).__name__, approval or TARGET, approval=approval)
    reply = await engine.handle(envelope, intent, encode)
    return msgspec.json.decode(reply.body)


async def test_an_approval_is_used_with_what_its_run_commits_or_not_at_all(crasher: Crasher, tmp_path: Path) -> None:
    """D-10; issue: "An approval for a sheet changed by one byte, expired, used, or one's own is refused, also
    under SIGKILL between claim and commit".
    """
    made = tmp_path / "made.db"
    approval, execution = await approve(made)
    point, survived = 0, None
    seen = set()
    while survived is None:
        point += 1
        path = Path(shutil.copyfile(made, tmp_path / f"{point}.db"))
        survived = crasher.crash(path, RUN, point)
        check_sound(path)
        applied = rows(path, "SELECT count(*) FROM voyages") == [(1,)]
        ((used_by,),) = rows(path, "SELECT used_by FROM sheetgrpc_approvals")
        assert used_by == (execution if applied else ""), (point, applied)
        left = (applied, *rows(path, f"SELECT state FROM sheetgrpc_executions WHERE id = '{execution}'")[0])
        async with opened(path) as engine:
            await engine._executor.recover()
            state = (await engine.get_execution(execution)).state.value
            now = await engine.store.approval(approval)
        assert (now.used_by, state) in {(execution, "SUCCEEDED"), ("", "QUEUED"), ("", "INTERRUPTED")}
        if left == (False, "RUNNING") and left not in seen:
            await check_what_is_left(path, approval)
        seen.add(left)
    assert seen == {(False, "QUEUED"), (False, "RUNNING"), (True, "SUCCEEDED")}


async def check_what_is_left(path: Path, approval: str) -> None:
    """It is for the very sheet, for its time, once, and by somebody else; then it is used."""

    async def refused(engine: Engine, why: str, using: str, source: str = SHEET) -> None:
        await say(engine, "anna", intents.ImportSheet(source))
        await say(engine, "anna", intents.ParseSheet())
        with pytest.raises(NotAllowed, match=why) as error:
            await say(engine, "anna", intents.SubmitSheet(confirm=True, approval_id=using))
        assert error.value.reason is Reason.APPROVAL_REQUIRED

    async with opened(path, draws=drawn(3, 2 * DAY)) as engine:
        await refused(engine, "has expired", approval)
    async with opened(path, draws=drawn(4, 1)) as engine:
        await refused(engine, "is for another sheet", approval, SHEET + " ")
        await say(engine, "anna", intents.PlanSheet())
        planned = await run_waiting(engine)
    async with opened(path, draws=drawn(5, 2)) as engine:
        own = (await say(engine, "anna", intents.RequestApproval(planned.plan_digest)))["approval"]["id"]
        with pytest.raises(PermissionDenied):
            await say(engine, "anna", intents.DecideApproval(own, Verdict.APPROVE), own)
        await refused(engine, "needs 1 more", own, SHEET + " ")
        await say(engine, "anna", intents.ImportSheet(SHEET))
        await say(engine, "anna", intents.ParseSheet())
        await say(engine, "anna", intents.SubmitSheet(confirm=True, approval_id=approval))
        ran = await run_waiting(engine)
        assert (ran.state.value, (await engine.store.approval(approval)).used_by) == ("SUCCEEDED", ran.id)
        await refused(engine, "was used already", approval)
