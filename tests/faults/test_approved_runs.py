"""SIGKILL at every point of a run that was approved: its approval is used with what it commits, or not at all."""

import random
import shutil
from pathlib import Path
from typing import Any

import msgspec
from tests.faults.cases import _EARLIER as EARLIER
from tests.faults.cases import _SHEET as SHEET
from tests.faults.cases import RUN, TARGET, Case, check_sound, encode, make, opened, rows, run_waiting
from tests.faults.crashing import Crasher

from sheetgrpc.clock import Draws
from sheetgrpc.engine import intents
from sheetgrpc.engine.intents import Envelope, Intent
from sheetgrpc.session.approvals import Verdict
from sheetgrpc.store.records import ExecutionFilter

PLANNED = Case(
    intent=intents.SubmitSheet(confirm=True),
    before=(intents.ImportSheet(SHEET), intents.ParseSheet(), intents.PlanSheet()),
)


async def approve(path: Path) -> tuple[str, str]:
    """Leaves an execution queued, with an approval; both ids."""
    await make(path, PLANNED)
    draws = Draws(lambda: EARLIER, random.Random(2).getrandbits)
    async with opened(path, draws=draws) as engine:
        planned = await run_waiting(engine)
    async with opened(path, draws=draws) as engine:

        async def send(caller: str, intent: Intent, approval: str = "") -> Any:  # its answer as a mapping
            envelope = Envelope(caller, type(intent).__name__, approval or TARGET, approval=approval)
            reply = await engine.handle(envelope, intent, encode)
            return msgspec.json.decode(reply.body)

        asked = await send("anna", intents.RequestApproval(planned.plan_digest))
        approval = asked["approval"]["id"]
        await send("pia", intents.DecideApproval(approval, Verdict.APPROVE), approval)
        await send("anna", intents.SubmitSheet(confirm=True, approval_id=approval))
        (execution, *_) = await engine.list_executions(ExecutionFilter(), 1, None)
    return approval, execution.id


async def test_an_approval_is_used_with_what_its_run_commits_or_not_at_all(crasher: Crasher, tmp_path: Path) -> None:
    """D-10, and "under SIGKILL between claim and commit" of the issue."""
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
        seen.add((applied, *rows(path, f"SELECT state FROM sheetgrpc_executions WHERE id = '{execution}'")[0]))
        async with opened(path) as engine:
            await engine._executor.recover()
            state = (await engine.get_execution(execution)).state.value
            now = await engine.store.approval(approval)
        assert (now.used_by, state) in {(execution, "SUCCEEDED"), ("", "QUEUED"), ("", "INTERRUPTED")}
    assert seen == {(False, "QUEUED"), (False, "RUNNING"), (True, "SUCCEEDED")}
