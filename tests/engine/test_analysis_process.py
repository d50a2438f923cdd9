"""The process beside the server: it finds what the server itself would, and it is replaced, and it goes."""

import asyncio
import os
import signal

import pytest
from tests.engine.driving import Driver

from sheetgrpc.engine import analyst, intents
from sheetgrpc.planning.model import Analysis
from sheetgrpc.session.model import State

LARGE = "\n".join(
    [
        '(port.ensure :code "Z" :as @z)',
        "(voyage.ensure :ship <Sea> :number 0 :port @z)",
        *(f'(voyage.ensure :ship <Sea Star> :number {at} :meta {{:a [@z "x"]}} :port @z)' for at in range(1, 700)),
        "(port.list)",
    ]
)
FAULTY = LARGE + '\n(no.verb) (port.find :code 1) (ship.create :nam "x") (port.find :code "unclosed'


@pytest.fixture
async def ship(fleet: Driver) -> str:
    return str((await fleet.run('(ship.ensure :name "Sea Star") (ship.ensure :name "Sea Stone")')).keys[0])


@pytest.mark.parametrize("sheet", [LARGE, FAULTY], ids=["sound", "faulty"])
async def test_it_finds_what_the_server_itself_would(
    fleet: Driver, ship: str, sheet: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[Analysis] = []
    for limit in (10, 10**9):
        monkeypatch.setattr(analyst, "_INLINE_CHARACTERS", limit)
        found.append(await fleet.engine._context.analyst.analyse(sheet, {}, ()))
    assert _process(fleet) is not None
    assert found[0] == found[1]
    assert len(found[0].diagnostics) == (0 if sheet is LARGE else 6)


async def test_one_that_was_killed_is_replaced(fleet: Driver, ship: str) -> None:
    """Idle, and in the middle of its work."""
    session = await fleet.open()
    await fleet.call(session, intents.ImportSheet(LARGE))
    first = await fleet.call(session, intents.ParseSheet())
    before = _process(fleet)
    os.kill(before, signal.SIGKILL)
    again = await fleet.call(session, intents.ParseSheet())
    assert again.sheet == first.sheet
    assert again.session.row.session.state is State.RESOLVING
    pid = _process(fleet)
    assert pid != before
    os.kill(pid, signal.SIGSTOP)
    waiting = asyncio.create_task(fleet.call(session, intents.ParseSheet()))
    for _ in range(50):
        await asyncio.sleep(0)
    os.kill(pid, signal.SIGKILL)
    assert (await waiting).sheet == first.sheet
    assert _process(fleet) not in (before, pid)


async def test_callers_that_go_away_disturb_nobody(fleet: Driver, ship: str) -> None:
    analysis = fleet.engine._context.analyst
    tasks = [asyncio.create_task(analysis.analyse(LARGE, {}, ())) for _ in range(4)]
    await asyncio.sleep(0)
    tasks[0].cancel()
    tasks[2].cancel()
    found = await asyncio.gather(*tasks, return_exceptions=True)
    assert [isinstance(one, Analysis) for one in found] == [False, True, False, True]
    assert found[1] == found[3]


async def test_close_leaves_no_process(fleet: Driver, ship: str) -> None:
    """Nor one that was being asked something."""
    analysis = fleet.engine._context.analyst
    await analysis.analyse(LARGE, {}, ())
    pid = _process(fleet)
    asked = asyncio.create_task(analysis.analyse(LARGE, {}, ()))
    await asyncio.sleep(0)
    await fleet.engine.stop()
    (outcome,) = await asyncio.gather(asked, return_exceptions=True)
    assert isinstance(outcome, (Analysis, Exception))
    assert not _runs(pid)


async def test_close_right_after_the_first_call_leaves_no_process(fleet: Driver) -> None:
    asked = asyncio.create_task(fleet.engine._context.analyst.analyse(LARGE, {}, ()))
    await asyncio.sleep(0)
    await fleet.engine.stop()
    await asyncio.gather(asked, return_exceptions=True)
    assert fleet.engine._context.analyst._worker._process is None


def _process(fleet: Driver) -> int:
    process = fleet.engine._context.analyst._worker._process
    assert process is not None
    return process.pid


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
