"""What a struck submit leads to: one execution, which runs once, whoever was told of it."""

import asyncio
import shutil
from functools import partial
from pathlib import Path

import pytest
from tests.engine.driving import Clock, read
from tests.faults.cases import CASES, make, opened, rows, send
from tests.faults.crashing import Crasher
from tests.faults.points import Points, WatchedStore
from tests.faults.test_struck import STRIKES, Strike

from sheetgrpc.clock import Draws
from sheetgrpc.engine.engine import Engine
from sheetgrpc.engine.updates import Finished
from sheetgrpc.store.records import ExecutionFilter

SUBMIT = CASES["SubmitSheet"]


@pytest.fixture
async def database(tmp_path: Path) -> Path:
    path = tmp_path / "made.db"
    await make(path, SUBMIT)
    return path


async def test_a_killed_submit_runs_once_after_the_restart(database: Path, crasher: Crasher, tmp_path: Path) -> None:
    """D-2: at every point, and with the run of a calm submit to compare with."""
    point, survived = 0, None
    while survived is None:
        point += 1
        path = Path(shutil.copyfile(database, tmp_path / f"{point}.db"))
        survived = crasher.crash(path, "SubmitSheet", point)
        async with opened(path) as engine:
            await engine._executor.recover()
            engine._executor.start()
            await send(engine, SUBMIT)
            await _finish(engine)
        assert rows(path, "SELECT count(*) FROM voyages") == [(1,)]


@pytest.mark.parametrize("strike", STRIKES, ids=lambda strike: strike.__name__.strip("_"))
async def test_a_struck_submit_runs_once_without_a_restart(database: Path, strike: Strike, tmp_path: Path) -> None:
    """D-3, D-4: what was committed runs, though the command that did it never came to say so."""
    point, struck = 0, True
    while struck:
        point += 1
        path = Path(shutil.copyfile(database, tmp_path / f"{point}.db"))
        points = Points(point)
        async with opened(path, partial(WatchedStore, points=points), draws=Draws(Clock())) as engine:
            caller = asyncio.create_task(send(engine, SUBMIT))
            points.strike = partial(strike, caller)
            await asyncio.gather(caller, return_exceptions=True)
            points.strike = None
            engine._executor.start()  # only now: its own calls are not to be struck
            await send(engine, SUBMIT)
            await _finish(engine)
        struck = points.struck
        assert rows(path, "SELECT count(*) FROM voyages") == [(1,)]


async def _finish(engine: Engine) -> None:
    (execution,) = await engine.list_executions(ExecutionFilter(), 2, None)
    async with asyncio.timeout(8):
        updates = await read(await engine.watch(execution.id, "", False))
    assert isinstance(updates[-1].body, Finished)
    assert updates[-1].body.execution.state == "SUCCEEDED"
