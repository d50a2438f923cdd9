"""Breakers: a module of call verbs that keeps failing is left alone, its executions wait, and nobody else does.

The queue is stepped by hand and the clocks stand still, but for the tests of a server that looks by itself.
"""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.engine.calling import plugged
from tests.engine.driving import BEST, Driver, drive
from tests.engine.places import Place
from tests.engine.stopping import cancel
from tests.engine.troubling import AWAY, Stepped, stepped

from sheetgrpc.engine import intents, queueing
from sheetgrpc.engine.breakers import Breaker, Breakers, BreakerState
from sheetgrpc.engine.intents import Envelope
from sheetgrpc.errors import InvalidRequest
from sheetgrpc.session.model import ExecutionState, Mode
from sheetgrpc.store.queue import QueueMode

CLOSED, OPEN, HALF_OPEN = BreakerState.CLOSED, BreakerState.OPEN, BreakerState.HALF_OPEN
QUEUED, SUCCEEDED = ExecutionState.QUEUED, ExecutionState.SUCCEEDED
BOTH = ("fleet_calls", "quay_calls")
WELL, ERROR, REFUSED = "(quay.work)", "(quay.work :mode error)", "(quay.work :mode refuse)"
DELAY = 60


@asynccontextmanager
async def quay(path: Place, folder: Path, **settings: Any) -> AsyncIterator[Stepped]:
    """An engine in hand that calls into two modules."""
    async with stepped(path, **plugged(folder, *BOTH), **settings) as fleet:
        sys.modules["fleet_calls"].GATE.clear()  # another file's tests may have left it open
        yield fleet


async def ran(fleet: Stepped, *sheets: str, mode: Mode = Mode.ATOMIC, within: int | None = None) -> list[str]:
    """The sheets one after the other, each to its end: how they ended."""
    ended = []
    for sheet in sheets:
        execution = await fleet.submit(await fleet.ready(sheet), mode, within)
        assert await fleet.step()
        ended.append((await fleet.row(execution)).state.value)
    return ended


def breaker(fleet: Driver, module: str = "quay_calls") -> tuple[BreakerState, Breaker]:
    (found,) = (one for one in fleet.engine._context.breakers.all() if one.breaker.module == module)
    return found.state, found.breaker


async def waits(fleet: Stepped, *executions: str) -> bool:
    """Whether nobody is begun, and these wait as if nothing had been."""
    assert not await fleet.step()
    rows = [await fleet.row(one) for one in executions]
    return all((row.state, row.retry_count, row.deferral_count, row.epoch) == (QUEUED, 0, 0, 0) for row in rows)


async def turn(fleet: Driver, module: str, mode: QueueMode, request_id: str = "") -> bool:
    """Pauses or resumes a module; whether that was only told again."""
    envelope = Envelope("olga", "PauseQueue", "", request_id, mode.value.encode())
    reply = await fleet.engine.queue.change(envelope, mode, lambda row: row.mode.encode(), module)
    return reply.replayed


async def test_the_fifth_failure_in_a_row_opens_and_a_success_before_resets(path: Place, tmp_path: Path) -> None:
    """C-R14; C-3.3: exactly 5, and a success at 4 resets. What waits is begun once the module does well again."""
    async with quay(path, tmp_path) as fleet:
        assert set(await ran(fleet, *[ERROR] * 4)) == {"ROLLED_BACK"}
        assert breaker(fleet) == (CLOSED, Breaker("quay_calls", 4))
        assert await ran(fleet, WELL, *[ERROR] * 4) == ["SUCCEEDED"] + ["ROLLED_BACK"] * 4
        assert breaker(fleet)[0] is CLOSED
        await ran(fleet, ERROR)
        assert (breaker(fleet)[0], breaker(fleet)[1].failures) == (OPEN, 5)
        assert await waits(fleet, await fleet.queued(WELL))


async def test_what_does_not_call_into_it_runs_past_what_waits(path: Place, tmp_path: Path) -> None:
    """C-3.3: a paused verb pack does not block others, however high what waits for it is."""
    async with quay(path, tmp_path, breaker_failures=1) as fleet:
        await ran(fleet, ERROR)
        held = [await fleet.submit(await fleet.ready(WELL + '(port.ensure :code "H")'), priority=9) for _ in range(2)]
        assert await ran(fleet, "(crew.echo)", '(port.ensure :code "A")') == ["SUCCEEDED"] * 2
        assert await waits(fleet, *held)


async def test_what_waits_is_read_once(path: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many it is, a look reads no more than what it has not seen."""
    monkeypatch.setattr(queueing, "_LOOK", 2)
    async with quay(path, tmp_path, breaker_failures=1) as fleet:
        await ran(fleet, ERROR)
        held = [await fleet.queued(WELL) for _ in range(5)]
        assert await waits(fleet, *held)
        read = []
        store = fleet.engine.store
        waiting = store.waiting

        async def noted(limit: int, without: Any = ()) -> Any:
            read.append(await waiting(limit, without))
            return read[-1]

        fleet.engine._executor._queue._store.waiting = noted  # type: ignore[method-assign]  # it only listens
        assert await ran(fleet, "(crew.echo)") == ["SUCCEEDED"]
        assert [len(rows) for rows in read] == [1]
        await turn(fleet, "quay_calls", QueueMode.RUNNING)
        for one in held:
            assert await fleet.step()
            assert (await fleet.row(one)).state is SUCCEEDED


async def test_after_the_delay_one_is_let_through_and_its_success_closes(path: Place, tmp_path: Path) -> None:
    """The requirements' section 2: a half-open probe."""
    async with quay(path, tmp_path, breaker_failures=2, breaker_delay=DELAY) as fleet:
        await ran(fleet, ERROR, ERROR)
        first, second = await fleet.queued(WELL), await fleet.queued(WELL)
        fleet.hands.go(DELAY - 1)
        assert await waits(fleet, first, second)
        fleet.hands.jump(DELAY)  # somebody sets the wall clock
        assert await waits(fleet, first, second)
        fleet.hands.go(1)
        assert breaker(fleet)[0] is HALF_OPEN
        fleet.engine._context.breakers.begin("another", ["quay_calls"])
        assert await waits(fleet, first, second)
        fleet.engine._context.breakers.end("another", (), ())
        assert await fleet.step()
        assert breaker(fleet) == (CLOSED, Breaker("quay_calls"))
        assert await fleet.step()
        assert (await fleet.row(second)).state is SUCCEEDED


async def test_a_probe_that_fails_opens_anew_and_one_that_says_nothing_lets_the_next_through(
    path: Place, tmp_path: Path
) -> None:
    async with quay(path, tmp_path, breaker_failures=2, breaker_delay=DELAY) as fleet:
        await ran(fleet, ERROR, ERROR)
        fleet.hands.go(DELAY)
        assert await ran(fleet, REFUSED, ERROR) == ["ROLLED_BACK"] * 2
        assert (breaker(fleet)[0], breaker(fleet)[1].failures) == (OPEN, 3)
        assert await waits(fleet, await fleet.queued(WELL))
        fleet.hands.go(DELAY)
        assert await fleet.step()
        assert breaker(fleet)[0] is CLOSED


NEITHER = [
    "(quay.work) (port.is-there :code NONE)",
    REFUSED,
    "(crew.fail :code A :how refused)",
    "(crew.fail :code A :how twice)",
    "(crew.fail :code A :how caught)",
    "(port.ensure :code P) (port.is-there :code NONE)",
]


@pytest.mark.parametrize("sheet", NEITHER)
async def test_a_refusal_and_what_others_fail_neither_count_nor_reset(path: Place, tmp_path: Path, sheet: str) -> None:
    """C-R14: a rejection must not count; nor a rule of the tables, nor another statement."""
    async with quay(path, tmp_path) as fleet:
        await ran(fleet, ERROR, "(crew.fail :code A :how bug)", sheet)
        assert [breaker(fleet, module)[1].failures for module in BOTH] == [1, 1]


@pytest.mark.parametrize("how", ["bug", "exit", "reach", "column", "left"])
@pytest.mark.parametrize("mode", [Mode.ATOMIC, BEST])
async def test_whatever_a_function_does_wrong_counts_once_an_execution(
    path: Place, tmp_path: Path, how: str, mode: Mode
) -> None:
    sheet = f"(port.ensure :code P) (crew.fail :code A :how {how} :as @a) (crew.fail :code B :how {how} :as @b)"
    async with quay(path, tmp_path) as fleet:
        await ran(fleet, sheet, mode=mode)
        assert [breaker(fleet, module)[1].failures for module in BOTH] == [1, 0]


async def test_a_function_that_takes_too_long_counts(path: Place, tmp_path: Path) -> None:
    """Whether the statement's time is over or the execution's; not where other statements took it."""
    async with quay(path, tmp_path, statement_timeout=0.2) as fleet:
        assert await ran(fleet, "(crew.slow)") == ["TIMED_OUT"]
        assert await ran(fleet, "(crew.ignore)", within=100_000) == ["TIMED_OUT"]
        assert breaker(fleet, "fleet_calls")[1].failures == 2
        assert await ran(fleet, '(quay.work) (slow.work :name "slow")', within=100_000) == ["TIMED_OUT"]
        assert breaker(fleet)[1].failures == 0


async def test_a_cancel_does_not_count_and_ends_what_waits(path: Place, tmp_path: Path) -> None:
    """C-R14: an abort must not count."""
    async with quay(path, tmp_path, breaker_failures=1) as fleet:
        execution = await fleet.queued("(crew.slow)")
        assert await fleet.engine._executor._step()
        await cancel(fleet, execution, wait=60_000_000)
        assert breaker(fleet, "fleet_calls") == (CLOSED, Breaker("fleet_calls"))
        await ran(fleet, ERROR)
        held = await fleet.queued(WELL)
        assert await waits(fleet, held)
        assert (await cancel(fleet, held)).execution.state is ExecutionState.CANCELLED


async def test_a_dry_run_waits_as_any_and_only_its_failure_counts(path: Place, tmp_path: Path) -> None:
    """Functions may leave out in a plan what would fail: between two runs that fail it resets nothing."""
    async with quay(path, tmp_path, breaker_failures=2, breaker_delay=DELAY) as fleet:

        async def plan(sheet: str) -> str:
            outcome = await fleet.call(await fleet.ready(sheet), intents.PlanSheet())
            assert outcome.execution is not None
            return outcome.execution.id

        await ran(fleet, ERROR)
        planned = await plan(WELL)
        assert await fleet.step()
        assert (await fleet.row(planned)).state is SUCCEEDED
        await plan(ERROR)
        assert await fleet.step()
        assert breaker(fleet)[0] is OPEN
        planned = await plan(WELL)
        assert await waits(fleet, planned)
        fleet.hands.go(DELAY)
        assert await fleet.step()
        assert breaker(fleet)[0] is HALF_OPEN
        assert await ran(fleet, WELL) == ["SUCCEEDED"]
        assert breaker(fleet)[0] is CLOSED


async def test_by_hand_a_module_is_paused_until_it_is_resumed(path: Place, tmp_path: Path) -> None:
    """C-R14: pause and resume operations exist. The queue itself stays as it is."""
    async with quay(path, tmp_path, breaker_failures=1, breaker_delay=DELAY) as fleet:
        assert not await turn(fleet, "quay_calls", QueueMode.HOLD, "once")
        held = await fleet.queued(WELL)
        fleet.hands.go(10 * DELAY)
        assert await waits(fleet, held)
        assert breaker(fleet) == (OPEN, Breaker("quay_calls", paused_by="olga"))
        assert (await fleet.engine.queue.stats()).queue.mode is QueueMode.RUNNING
        await turn(fleet, "quay_calls", QueueMode.RUNNING)
        assert await turn(fleet, "quay_calls", QueueMode.HOLD, "once")  # a repeat is told, and not done, again
        assert await fleet.step()
        assert await ran(fleet, ERROR) == ["ROLLED_BACK"]
        await turn(fleet, "quay_calls", QueueMode.RUNNING)
        assert breaker(fleet) == (CLOSED, Breaker("quay_calls"))
        with pytest.raises(InvalidRequest, match='no call verb runs "none"; GetServerInfo lists'):
            await turn(fleet, "none", QueueMode.HOLD)


async def test_with_0_failures_none_opens_by_itself(path: Place, tmp_path: Path) -> None:
    async with quay(path, tmp_path, breaker_failures=0) as fleet:
        await ran(fleet, *[ERROR] * 7)
        assert breaker(fleet) == (CLOSED, Breaker("quay_calls", 7))


async def test_the_queue_knows_what_a_sheet_calls_where_its_plan_was_not_kept(path: Place, tmp_path: Path) -> None:
    """As after a restart, or where another server has parsed it: only what calls into the module waits for it."""
    async with quay(path, tmp_path) as fleet:
        await turn(fleet, "quay_calls", QueueMode.HOLD)
        waiting = []
        for sheet in ("(crew.echo)", '(port.ensure :code "A")', WELL):
            session = await fleet.ready(sheet)
            found = (await fleet.engine.get_session(session)).row.session.sheet
            assert found is not None
            fleet.engine._context.analyst.forget(found.id)
            waiting.append(await fleet.submit(session))
        rows = [await fleet.row(one) for one in waiting]
        called = [[one.module for one in row.trusted_modules] for row in rows]
        assert called == [["fleet_calls"], [], ["quay_calls"]]
        assert [await fleet.step() for _ in waiting] == [True, True, False]
        assert await waits(fleet, waiting[2])


async def test_a_retry_waits_for_its_breaker_too(path: Place, tmp_path: Path) -> None:
    """Also one that this process has put off itself."""
    async with quay(path, tmp_path, retry_delays=(1.0,)) as fleet:
        execution = await fleet.queued(WELL)
        fleet.trouble.give("apply", AWAY)
        assert await fleet.step()
        await turn(fleet, "quay_calls", QueueMode.HOLD)
        fleet.hands.go(5)
        fleet.hands.jump(-60)  # by the store's clock it is not due
        assert not await fleet.step()
        assert (await fleet.row(execution)).retry_count == 1
        assert await ran(fleet, "(crew.echo)") == ["SUCCEEDED"]
        await turn(fleet, "quay_calls", QueueMode.RUNNING)
        assert await fleet.step()
        assert (await fleet.row(execution)).state is SUCCEEDED


@pytest.mark.parametrize("by_hand", [False, True])
async def test_what_waits_begins_by_itself(path: Place, tmp_path: Path, by_hand: bool) -> None:
    """When the delay is over, or at once when the module is resumed; nothing else happens meanwhile."""
    settings: dict[str, Any] = {"breaker_failures": 1, "breaker_delay": 3600.0 if by_hand else 0.1}
    async with drive(path, **plugged(tmp_path, *BOTH), **settings) as fleet:
        await fleet.run(ERROR)
        execution = await fleet.submit(await fleet.ready(WELL))
        assert (await fleet.run("(crew.echo)")).state == "SUCCEEDED"
        if by_hand:
            assert (await fleet.engine.get_execution(execution)).state is QUEUED
            await turn(fleet, "quay_calls", QueueMode.RUNNING)
        assert (await fleet.finish(execution)).state is SUCCEEDED
        assert breaker(fleet)[0] is CLOSED


def test_of_those_that_began_before_it_opened_none_counts() -> None:
    """Where several run at once: neither a late success closes nor a late failure makes it longer; its probe does."""
    now = [0.0]
    breakers = Breakers(["m"], 2, DELAY, lambda: now[0])

    def seen() -> tuple[BreakerState, int, float | None]:
        (view,) = breakers.all()
        return view.state, view.breaker.failures, view.wait

    for one in "abcd":
        breakers.begin(one, ["m"])
    breakers.end("a", ["m"], ())
    breakers.end("b", ["m"], ())
    now[0] = 20.0
    breakers.end("c", ["m"], ())
    assert seen() == (OPEN, 2, 40.0)
    now[0] = 60.0
    assert (seen(), breakers.blocked()) == ((HALF_OPEN, 2, 0.0), frozenset())
    breakers.begin("probe", ["m"])
    breakers.end("d", (), ["m"])
    assert (seen()[0], breakers.blocked()) == (HALF_OPEN, frozenset("m"))
    breakers.end("probe", (), ["m"])
    assert (seen(), breakers.blocked()) == ((CLOSED, 0, None), frozenset())
