"""A server that is killed in the middle of a plan: nothing of it is there, and the session is READY."""

import shutil
from pathlib import Path

from tests.faults.cases import CASES, check_sound, make, opened, rows, run_queued
from tests.faults.crashing import Crasher

from sheetgrpc.store.records import ExecutionFilter

ENDS = {"INTERRUPTED", "SUCCEEDED", "QUEUED"}


async def test_a_plan_killed_at_any_point_leaves_a_ready_session_and_no_row(crasher: Crasher, tmp_path: Path) -> None:
    """C-R38, D-2: killed by SIGKILL before and after every call into the store and at every statement of SQL."""
    database = tmp_path / "made.db"
    await make(database, CASES["PlanSheet"])
    ships = rows(database, "SELECT * FROM ships ORDER BY ship_id")
    point, survived, seen = 0, None, set()
    while survived is None:
        point += 1
        path = Path(shutil.copyfile(database, tmp_path / f"{point}.db"))
        survived = crasher.crash(path, "PlanSheet", point, runs=True)
        check_sound(path)
        assert rows(path, "SELECT * FROM ships ORDER BY ship_id") == ships
        assert rows(path, "SELECT count(*) FROM voyages") == [(0,)]
        assert rows(path, "SELECT count(*) FROM sheetgrpc_sessions WHERE state = 'READY'") == [(1,)]
        async with opened(path) as engine:
            await engine._executor.recover()
            for execution in await engine.list_executions(ExecutionFilter(), 2, None):
                seen.add(execution.state.value)
                if execution.state.value == "QUEUED":
                    assert (await run_queued(engine)).state.value == "SUCCEEDED"
                effects = rows(path, "SELECT count(*) FROM sheetgrpc_effects")
                assert effects == [(int(execution.state.value != "INTERRUPTED"),)]
    assert point > 50
    assert seen == ENDS
