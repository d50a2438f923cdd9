"""A run that takes too long is stopped wherever it is, and one that does not is left alone."""

import asyncio
from pathlib import Path

import pytest
import uvloop
from tests.engine.driving import BEST, Driver, drive

from sheetgrpc.clock import Draws
from sheetgrpc.engine.watchdog import Watchdog
from sheetgrpc.planning.model import Results
from sheetgrpc.session.model import Mode, State

SECOND = 1_000_000
SLOW = '(slow.work :name "slow")'  # its trigger counts to a thousand million


@pytest.mark.parametrize("mode", list(Mode))
@pytest.mark.parametrize(
    "sheet",
    [
        f'(ship.ensure :name "S") {SLOW} (port.ensure :code "P")',
        '(ship.ensure :name "S")' + "".join(f'(slow.work :name "{at}")' for at in range(300)) + SLOW,
    ],
    ids=["alone", "in a batch"],
)
async def test_a_run_beyond_its_timeout_is_rolled_back_and_its_session_goes_on(
    fleet: Driver, mode: Mode, sheet: str
) -> None:
    before = fleet.dump()
    ran = await fleet.run(sheet, mode, within=SECOND // 5)
    error = ran.execution.error
    assert error is not None
    assert (ran.state, error.code, error.statement_index) == ("TIMED_OUT", "TIMEOUT", None)
    assert set(ran.statuses) <= {"ROLLED_BACK", "NOT_RUN"}
    assert sum(ran.execution.status_counts.values()) == len(ran.results)
    assert set(ran.keys) == {None}
    assert fleet.dump() == before
    session = (await fleet.engine.get_session(ran.session)).row.session
    assert (session.state, session.last_execution_succeeded) == (State.EXECUTED, False)
    assert (await fleet.run('(ship.ensure :name "S")', BEST, session=ran.session)).state == "SUCCEEDED"


def test_no_run_is_ended_before_its_time(file: Path) -> None:
    """On the loop that servers run on: its timers count whole milliseconds, and are early by one."""

    async def run() -> None:
        async with drive(file, draws=Draws()) as fleet:
            for span in range(5_100, 15_000, 700):
                ended = (await fleet.run(SLOW, within=span)).execution
                assert ended.state.value == "TIMED_OUT"
                assert ended.started_at is not None
                assert ended.ended_at is not None
                assert ended.ended_at - ended.started_at >= span

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())


async def test_a_run_that_ends_in_time_is_untouched(fleet: Driver) -> None:
    """And so are those after it: its timer is gone with it."""
    quick = await fleet.run('(ship.ensure :name "S")', within=SECOND // 5)
    later = await fleet.run("".join(f'(slow.work :name "{at}")' for at in range(5000)))
    assert (quick.state, later.state) == ("SUCCEEDED", "SUCCEEDED")


async def test_a_run_that_was_queued_beyond_its_timeout_still_has_it_all(fleet: Driver) -> None:
    """The time counts from the claim, not from the submit."""
    first = await fleet.ready(f'(ship.ensure :name "S") {SLOW}')
    second = await fleet.ready('(ship.ensure :name "T")')
    waited = await fleet.submit(first, within=SECOND // 2)
    quick = await fleet.submit(second, within=SECOND // 4)
    assert (await fleet.finish(waited)).state == "TIMED_OUT"
    assert (await fleet.finish(quick)).state == "SUCCEEDED"


@pytest.mark.parametrize("mode", list(Mode))
async def test_a_statement_beyond_its_timeout_ends_the_run_and_is_named(path: Path, mode: Mode) -> None:
    """S-R42: its SQL is interrupted, and the run has no timeout of its own."""
    async with drive(path, statement_timeout=0.2) as fleet:
        before = fleet.dump()
        sheet = f'(ship.ensure :name "S")\n{SLOW}\n(port.ensure :code "P")'
        ran = await fleet.run(sheet, mode)
        error = ran.execution.error
        assert error is not None
        assert (ran.state, error.code, error.statement_index) == ("TIMED_OUT", "TIMEOUT", 1)
        assert error.span is not None
        assert sheet[error.span.offset : error.span.offset + error.span.length] == SLOW
        assert set(ran.statuses) <= {"ROLLED_BACK", "NOT_RUN"}
        assert fleet.dump() == before
        assert (await fleet.run('(ship.ensure :name "S")', session=ran.session)).state == "SUCCEEDED"


async def test_each_write_has_the_time_anew() -> None:
    """And what runs between two writes is nobody's."""
    times = iter(range(100))
    results = Results.fresh(4)
    late: list[int] = []
    dog = Watchdog(3, results, late.append, clock=lambda: next(times))
    try:
        for index in (0, 1, 1, 2):  # of two seconds each
            results.note(index)
            dog.look()
            dog.look()
        results.running = -1
        for _ in range(10):
            dog.look()
        assert late == []
        results.note(3)
        for _ in range(4):
            assert late == []
            dog.look()
        assert late == [3]
    finally:
        dog.cancel()
