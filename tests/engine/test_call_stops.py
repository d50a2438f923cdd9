"""A run whose handler works for long, or for ever: it ends when it is told to, and the server goes on without it."""

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.engine.calling import Calls, drive_calls
from tests.engine.driving import BEST, Ran
from tests.engine.places import Place
from tests.engine.stopping import PATIENCE, cancel

from sheetgrpc.session.model import Mode, State
from sheetgrpc.store.calling.threads import Threads

SECOND = 1_000_000
STUBBORN = ["crew.ignore", "crew.ignore-async", "crew.busy"]
OBEDIENT = ["crew.slow", "crew.slow-async", "crew.slow-sql"]
WRITTEN = '(ship.ensure :name "S" :as @s) (voyage.ensure :ship @s :number 1)'


@pytest.fixture
async def calls(path: Place, tmp_path: Path) -> AsyncIterator[Calls]:
    async with drive_calls(path, tmp_path) as driven:
        yield driven


async def happened(event: threading.Event) -> None:
    """Waits for what happens in another thread, without holding the loop."""
    await asyncio.to_thread(event.wait)


def threads_of(calls: Calls) -> Threads:
    compiled = calls.fleet.engine.store._compiled  # type: ignore[attr-defined]  # both stores have it
    pool: Threads = compiled.calling.threads
    return pool


async def given_back(pool: Threads) -> None:
    """Its handlers have ended, and their threads are about to be free."""
    while pool.stuck:  # noqa: ASYNC110  # a thread's last step has no event
        await asyncio.sleep(0)


async def start(calls: Calls, verb: str, mode: Mode = Mode.ATOMIC, within: int | None = None) -> tuple[str, str]:
    """A session and its execution, whose handler is under way."""
    session = await calls.fleet.ready(f"{WRITTEN} ({verb}) (flag.ensure :code F)")
    execution = await calls.fleet.submit(session, mode, within)
    await happened(calls.plugin.STARTED)
    return session, execution


@pytest.mark.parametrize("mode", [Mode.ATOMIC, BEST])
@pytest.mark.parametrize("verb", [*OBEDIENT, *STUBBORN])
async def test_a_cancel_ends_the_run_whatever_its_handler_does(calls: Calls, verb: str, mode: Mode) -> None:
    """C-R26, C-3.2 "verb ignoring cancellation": CANCELLING until it is let go; nothing stays, the next run goes on."""
    before = calls.fleet.dump()
    session, execution = await start(calls, verb, mode)
    answer = await cancel(calls.fleet, execution)
    assert (answer.outcome, answer.execution.state.value) == ("CANCEL_REQUESTED", "CANCELLING")
    row = await calls.fleet.finish(execution)
    assert (row.state.value, row.cancelled_by) == ("CANCELLED", "anna")
    assert [receipt.outcome for receipt in await calls.fleet.engine.list_receipts(execution, 0, 9)] == ["CANCELLED"]
    assert set(row.status_counts) <= {"ROLLED_BACK", "NOT_RUN"}
    assert calls.fleet.dump() == before
    assert (await calls.fleet.run('(ship.ensure :name "T") (crew.echo)', session=session)).state == "SUCCEEDED"


@pytest.mark.parametrize("verb", [*OBEDIENT, *STUBBORN])
async def test_a_run_with_a_slow_handler_ends_at_its_timeout(calls: Calls, verb: str) -> None:
    before = calls.fleet.dump()
    ran: Ran = await calls.fleet.run(f"{WRITTEN} ({verb})", within=SECOND // 5)
    error = ran.execution.error
    assert error is not None
    assert (ran.state, error.code) == ("TIMED_OUT", "TIMEOUT")
    assert calls.fleet.dump() == before
    assert await calls.fleet.state(ran.session) is State.EXECUTED


@pytest.mark.parametrize("verb", ["crew.slow", "crew.slow-async", "crew.ignore"])
async def test_a_call_beyond_the_time_of_a_statement_ends_the_run_and_is_named(
    path: Place, tmp_path: Path, verb: str
) -> None:
    async with drive_calls(path, tmp_path, statement_timeout=0.2) as calls:
        ran = await calls.fleet.run(f"{WRITTEN} (crew.echo) ({verb}) (crew.echo)")
        error = ran.execution.error
        assert error is not None
        assert (ran.state, error.code, error.statement_index) == ("TIMED_OUT", "TIMEOUT", 3)


@pytest.mark.parametrize("verb", ["crew.ignore", "crew.ignore-async"])
async def test_what_a_left_handler_does_later_changes_nothing(calls: Calls, verb: str) -> None:
    """C-3.2 "verb ignoring cancellation": "late result discarded"; its thread is free again once it comes back."""
    _, execution = await start(calls, verb)
    await cancel(calls.fleet, execution, wait=PATIENCE)
    pool = threads_of(calls)
    assert pool.stuck == 1
    before = calls.fleet.dump()
    calls.release()
    await happened(calls.plugin.ENDED)
    await given_back(pool)
    assert calls.fleet.dump() == before
    assert (await calls.fleet.run("(crew.echo)")).state == "SUCCEEDED"
    if verb == "crew.ignore":
        cancelled, over = calls.plugin.SEEN[:2]
        assert (type(cancelled).__name__, over) == ("Cancelled", True)


@pytest.mark.parametrize("verb", ["crew.ignore", "crew.busy"])
async def test_the_loop_goes_on_while_a_handler_works(calls: Calls, verb: str) -> None:
    """It is the loop that lets the handler go: were it held up, nobody would."""
    _, execution = await start(calls, verb)
    assert (await calls.fleet.engine.get_execution(execution)).state.value == "RUNNING"
    for _ in range(100):
        await asyncio.sleep(0)
    calls.release()
    assert (await calls.fleet.finish(execution)).state.value == "SUCCEEDED"


async def test_a_server_that_stops_waits_for_no_handler(path: Place, tmp_path: Path) -> None:
    async with drive_calls(path, tmp_path) as calls:
        _, execution = await start(calls, "crew.ignore")
        await calls.fleet.engine._executor.stop(0)
        row = await calls.fleet.engine.store.execution(execution)
        assert row.state.value == "INTERRUPTED"


async def test_too_many_handlers_that_do_not_return_fail_the_next(calls: Calls) -> None:
    threads_of(calls)._most = 1
    _, execution = await start(calls, "crew.ignore")
    await cancel(calls.fleet, execution, wait=PATIENCE)
    ran = await calls.fleet.run('(crew.echo) (ship.ensure :name "T")', BEST)
    assert (ran.state, ran.errors) == ("PARTIAL", {0: "HANDLER_FAILED"})
    calls.release()
    await happened(calls.plugin.ENDED)
    await given_back(threads_of(calls))
    assert (await calls.fleet.run("(crew.echo)")).state == "SUCCEEDED"
