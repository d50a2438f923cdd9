"""The queue on every backend: how much it takes, how many run at once, pausing it, its figures.

Nothing hangs on timing: runs stand still at a chosen call, or the queue is stepped by hand.
"""

import asyncio
from pathlib import Path

import msgspec
import pytest
from tests.engine.driving import Driver, drive
from tests.engine.places import Place
from tests.engine.stopping import Gate, cancel, gated, run
from tests.engine.troubling import AWAY, stepped
from tests.postgres import run as run_script

from sheetgrpc.engine import endings, intents
from sheetgrpc.engine.intents import Envelope
from sheetgrpc.errors import InvalidRequest, LimitExceeded, NotAllowed, Reason
from sheetgrpc.session.model import ExecutionState, State
from sheetgrpc.store.queue import QueueMode, QueueRow
from sheetgrpc.store.records import ExecutionFilter

HOLD, REJECT, DRAIN, RUNNING = QueueMode.HOLD, QueueMode.REJECT, QueueMode.DRAIN, QueueMode.RUNNING


# Every insert is looked at by those after it before it is committed.
SLOW_INSERTS = """
CREATE FUNCTION linger() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.02); RETURN NEW; END';
CREATE TRIGGER slow BEFORE INSERT ON sheetgrpc.executions FOR EACH ROW EXECUTE FUNCTION linger();
"""


def port(code: str) -> str:
    return f'(port.ensure :code "{code}")'


async def change(fleet: Driver, mode: QueueMode, request_id: str = "", fingerprint: bytes = b"f") -> tuple[bytes, bool]:
    """The answer to a pause or a resume, and whether it was given before."""
    method = "ResumeQueue" if mode is RUNNING else "PauseQueue"
    envelope = Envelope("olga", method, "", request_id, fingerprint)
    reply = await fleet.engine.queue.change(envelope, mode, lambda row: f"{row.mode} {row.changed_by}".encode())
    return reply.body, reply.replayed


async def counted(fleet: Driver) -> dict[str, int]:
    """The figures, whose sum is what there is."""
    stats = await fleet.engine.queue.stats()
    listed = await fleet.engine.list_executions(ExecutionFilter(), 1000, None)
    assert sum(stats.states.values()) == len(listed)  # C-I4, C-R5
    counts = dict.fromkeys(ExecutionState, 0)
    for row in listed:
        counts[row.state] += 1
    assert stats.states == counts
    return {state.value: count for state, count in counts.items() if count}


async def test_a_full_queue_takes_no_more(path: Place) -> None:
    async with stepped(path, max_queued=2) as fleet:
        for code in ("a", "b"):
            await fleet.queued(port(code))
        third = await fleet.ready(port("c"))
        with pytest.raises(LimitExceeded) as refused:
            await fleet.submit(third)
        assert refused.value.reason is Reason.QUEUE_FULL
        assert refused.value.retry_after
        assert refused.value.metadata == {"what": "waiting executions", "limit": "2", "actual": "2"}
        assert await fleet.state(third) is State.READY
        assert await fleet.step()
        await fleet.submit(third)


async def test_of_many_submits_at_once_as_many_are_taken_as_there_is_room(path: Place) -> None:
    """No race lets in one more, however long it takes to get in."""
    async with stepped(path, max_queued=3) as fleet:
        if isinstance(path, str):
            await run_script(path, SLOW_INSERTS)
        sessions = [await fleet.ready(port(code)) for code in "abcdefghijklmnopqrst"]
        answers = await asyncio.gather(*map(fleet.submit, sessions), return_exceptions=True)
        refused = [answer for answer in answers if isinstance(answer, LimitExceeded)]
        assert {one.reason for one in refused} == {Reason.QUEUE_FULL}
        assert len(refused) == 17
        assert await counted(fleet) == {"QUEUED": 3}


async def test_a_plan_is_let_in_as_any_execution(path: Place) -> None:
    """It takes a place like any other; there is none where the queue is full or takes nothing in."""
    async with stepped(path, max_queued=1) as fleet:
        await fleet.call(await fleet.ready(port("a")), intents.PlanSheet())
        session = await fleet.ready(port("b"))
        with pytest.raises(LimitExceeded) as full:
            await fleet.call(session, intents.PlanSheet())
        assert full.value.reason is Reason.QUEUE_FULL
        assert await fleet.step()
        await change(fleet, REJECT)
        with pytest.raises(NotAllowed) as paused:
            await fleet.call(session, intents.PlanSheet())
        assert paused.value.reason is Reason.QUEUE_PAUSED
        await change(fleet, RUNNING)
        await fleet.call(session, intents.PlanSheet())


async def test_what_waits_for_a_retry_takes_its_place(path: Place) -> None:
    async with stepped(path, max_queued=1) as fleet:
        await fleet.queued(port("a"))
        fleet.trouble.give("apply", AWAY)
        assert await fleet.step()
        with pytest.raises(LimitExceeded):
            await fleet.queued(port("b"))


async def test_what_waits_for_a_retry_holds_up_nobody(path: Place) -> None:
    """Each waits by itself, of whatever priority: what goes well beside it neither waits nor ends its wait."""
    async with stepped(path) as fleet:
        session = await fleet.ready(port("a"))
        first = await fleet.submit(session, priority=9)
        fleet.trouble.give("apply", AWAY)
        assert await fleet.step()
        for code in "bc":
            other = await fleet.queued(port(code))
            assert await fleet.step()
            assert (await fleet.row(other)).state is ExecutionState.SUCCEEDED
        row = await fleet.row(first)
        assert (row.state, row.retry_count) == (ExecutionState.QUEUED, 1)
        assert not await fleet.step()
        fleet.hands.go(4)
        assert await fleet.step()
        assert (await fleet.row(first)).state is ExecutionState.SUCCEEDED


async def test_as_many_run_at_once_as_there_are_slots(path: Place) -> None:
    """On SQLite one; on PostgreSQL as many as set. The next begins when one has ended."""
    slots = 1 if isinstance(path, Path) else 2
    async with gated(path, max_running=2) as (fleet, gate):
        waiting = [await fleet.submit(await fleet.ready(port(code))) for code in "abc"]
        gate.set("record", slots)
        held = _hold_all(gate, "record")
        run(fleet)
        await held(slots)
        states = [(await fleet.engine.get_execution(one)).state for one in waiting]
        assert states.count(ExecutionState.COMMITTING) == slots
        assert states[slots:] == [ExecutionState.QUEUED] * (3 - slots)
        assert (await counted(fleet))["COMMITTING"] == slots
        gate.opened.set()
        for one in waiting:
            assert (await fleet.finish(one)).state is ExecutionState.SUCCEEDED


async def test_a_late_receipt_frees_no_slot(path: Place) -> None:
    """C-R32, C-3.3 "stale lease receipt after requeue ignored and does not free the *new* attempt's slot"."""
    gate = Gate()
    async with stepped(path, gate=gate, max_running=1) as fleet:
        execution = await fleet.queued(port("a"))
        fleet.trouble.give("apply", AWAY)
        assert await fleet.step()
        first = msgspec.structs.replace(await fleet.row(execution), state=ExecutionState.RUNNING)
        fleet.hands.go(4)
        gate.set("sheet")  # the second attempt is claimed, and prepares
        second = asyncio.create_task(fleet.step())
        await gate.reached.wait()
        executor = fleet.engine._executor
        late = endings.finish(first, ExecutionState.FAILED, fleet.hands.at)
        assert (await executor._runner.end(first, late)).epoch == 2
        other = await fleet.queued(port("b"))
        assert not await executor._step()
        assert (await fleet.row(other)).state is ExecutionState.QUEUED
        gate.opened.set()
        await second
        assert (await fleet.row(execution)).state is ExecutionState.SUCCEEDED
        assert await fleet.outcomes(execution) == ["RETRIED", "SUCCEEDED"]
        assert await fleet.step()
        assert (await fleet.row(other)).state is ExecutionState.SUCCEEDED


def _hold_all(gate: object, method: str):  # type: ignore[no-untyped-def]  # a waiter
    """Every call of the method stops at the gate; the answer waits for so many of them."""
    stopped = 0
    reached = asyncio.Condition()

    async def passing(name: str, call):  # type: ignore[no-untyped-def]  # as Gate.passing
        nonlocal stopped
        if name == method and not gate.opened.is_set():  # type: ignore[attr-defined]  # a Gate
            async with reached:
                stopped += 1
                reached.notify_all()
            await gate.opened.wait()  # type: ignore[attr-defined]  # a Gate
        return await call()

    async def held(count: int) -> None:
        async with reached:
            await reached.wait_for(lambda: stopped == count)

    gate.passing = passing  # type: ignore[attr-defined]  # a Gate
    return held


@pytest.mark.parametrize("mode", [HOLD, REJECT, DRAIN])
async def test_a_paused_queue_holds_rejects_or_drains(path: Place, mode: QueueMode) -> None:
    async with stepped(path) as fleet:
        first = await fleet.queued(port("a"))
        second = await fleet.ready(port("b"))
        assert await change(fleet, mode) == (f"{mode} olga".encode(), False)
        if mode is HOLD:
            await fleet.submit(second)
        else:
            with pytest.raises(NotAllowed) as refused:
                await fleet.submit(second)
            assert (refused.value.reason, refused.value.metadata) == (Reason.QUEUE_PAUSED, {"mode": mode.value})
            assert await fleet.state(second) is State.READY
        assert await fleet.step() is (mode is DRAIN)
        assert (await fleet.row(first)).state is (ExecutionState.SUCCEEDED if mode is DRAIN else ExecutionState.QUEUED)
        assert await change(fleet, RUNNING) == (b"RUNNING olga", False)
        if mode is not HOLD:
            await fleet.submit(second)
        while await fleet.step():
            pass
        assert await counted(fleet) == {"SUCCEEDED": 2}


async def test_a_pause_that_meets_a_claim_lets_nothing_begin(path: Place) -> None:
    """The claim itself looks: what was next when the queue was paused stays queued, and those who watch it stay."""
    async with stepped(path) as fleet:
        execution = await fleet.queued(port("a"))
        row = await fleet.engine._executor._queue.next()
        assert row is not None
        await change(fleet, HOLD)
        await fleet.engine._executor._begin(row)
        assert (await fleet.row(execution)).state is ExecutionState.QUEUED
        watcher = await fleet.engine.watch(execution, "", False)
        await change(fleet, RUNNING)
        assert await fleet.step()
        assert (await fleet.row(execution)).state is ExecutionState.SUCCEEDED
        assert [type(update.body).__name__ for update in await _read(watcher)][-1] == "Finished"


async def _read(watcher: object) -> list:  # type: ignore[type-arg]  # updates
    found = []
    while (update := await watcher.next()) is not None:  # type: ignore[attr-defined]  # a Watcher
        found.append(update)
    return found


async def test_a_pause_survives_a_restart_and_a_running_queue_begins_by_itself(path: Place) -> None:
    async with drive(path) as fleet:
        await change(fleet, HOLD)
        execution = await fleet.submit(await fleet.ready(port("a")))
    async with drive(path) as fleet:
        assert (await fleet.engine.store.queue()).mode is HOLD
        assert (await fleet.engine.get_execution(execution)).state is ExecutionState.QUEUED
        await change(fleet, RUNNING)
        assert (await fleet.finish(execution)).state is ExecutionState.SUCCEEDED


async def test_a_repeat_is_answered_as_before_and_the_same_mode_changes_nothing(path: Place) -> None:
    async with stepped(path) as fleet:
        assert await change(fleet, HOLD, "one") == (b"HOLD olga", False)
        at = (await fleet.engine.store.queue()).changed_at
        fleet.hands.go(1)
        assert await change(fleet, HOLD) == (b"HOLD olga", False)
        assert await fleet.engine.store.queue() == QueueRow(HOLD, "olga", at)
        assert await change(fleet, RUNNING) == (b"RUNNING olga", False)
        assert await change(fleet, HOLD, "one") == (b"HOLD olga", True)
        assert (await fleet.engine.store.queue()).mode is RUNNING
        with pytest.raises(InvalidRequest) as refused:
            await change(fleet, REJECT, "one", b"other")
        assert refused.value.reason is Reason.REQUEST_ID_REUSED


async def test_a_repeated_submit_is_answered_by_a_queue_that_takes_nothing(path: Place) -> None:
    async with stepped(path) as fleet:
        session = await fleet.ready(port("a"))
        first = await fleet.send(session, intents.SubmitSheet(confirm=True), "s")
        await change(fleet, REJECT)
        again = await fleet.send(session, intents.SubmitSheet(confirm=True), "s")
        assert (again.body, again.replayed) == (first.body, True)


@pytest.mark.parametrize(("before", "after"), [(RUNNING, HOLD), (DRAIN, DRAIN)])
async def test_a_server_that_starts_paused_holds_a_running_queue(
    path: Place, before: QueueMode, after: QueueMode
) -> None:
    async with stepped(path) as fleet:
        await change(fleet, before)
        await fleet.engine.queue.hold()
        assert (await fleet.engine.store.queue()).mode is after


async def test_the_figures_are_those_of_the_table_in_every_state(path: Place) -> None:
    """C-R5, D14: every state has a counter, and their sum is the number of executions."""
    async with stepped(path) as fleet:
        await fleet.queued(port("a"))
        assert await fleet.step()
        await cancel(fleet, await fleet.queued(port("b")))
        await fleet.queued('(ship.ensure :name "x" :tonnage 0)')
        assert await fleet.step()
        fleet.trouble.give("apply", AWAY)
        await fleet.queued(port("c"))
        assert await fleet.step()
        fleet.hands.go(2)
        at = fleet.hands.at
        await fleet.queued(port("d"))
        fleet.hands.go(1)
        assert await counted(fleet) == {"SUCCEEDED": 1, "CANCELLED": 1, "ROLLED_BACK": 1, "QUEUED": 2}
        stats = await fleet.engine.queue.stats()
        assert (stats.counts.retries, stats.counts.deferrals, stats.running) == (1, 0, 0)
        assert stats.counts.oldest_queued_at == at - 2_000_000
        assert stats.now == at + 1_000_000


async def test_lists_are_by_time_and_by_what_is_dead(path: Place) -> None:
    async with stepped(path) as fleet:
        times, ids = [], []
        for code in "abcd":
            times.append(fleet.hands.at)
            ids.append(await fleet.queued(port(code)))
            fleet.hands.go(1)

        async def listed(**more: object) -> list[str]:
            wanted = ExecutionFilter(**more)  # type: ignore[arg-type]  # its fields
            return [row.id for row in await fleet.engine.list_executions(wanted, 9, None)]

        assert await listed() == ids[::-1]
        assert await listed(submitted_after=times[1]) == ids[:0:-1]
        assert await listed(submitted_before=times[1]) == ids[:1]
        assert await listed(submitted_after=times[1], submitted_before=times[3]) == [ids[2], ids[1]]
        assert await listed(states=("QUEUED",), submitted_after=times[3]) == [ids[3]]
        assert await listed(dead_letters_only=True) == []
        assert await listed(replay_of=ids[0]) == []


async def test_a_shutdown_ends_every_run_within_one_budget(path: Place) -> None:
    """C-R34, C-R35, C-3.2 "graceful shutdown with N slow jobs": one budget for all of them, a receipt for each.

    On SQLite one runs; what waits stays queued there, for the next start.
    """
    slots = 1 if isinstance(path, Path) else 3
    async with gated(path, max_running=3) as (fleet, gate):
        held = _hold_all(gate, "recheck")
        every = [await fleet.submit(await fleet.ready(port(code))) for code in "abc"]
        slow, waiting = every[:slots], every[slots:]
        run(fleet)
        await held(slots)
        executor = fleet.engine._executor
        stopping = asyncio.create_task(executor.stop(0.05))
        while not all(attempt._halted for attempt in executor._attempts.values()):
            await asyncio.wait([stopping], timeout=0.01)
        gate.opened.set()
        await stopping
        for one in slow:
            assert (await fleet.engine.store.execution(one)).state is ExecutionState.INTERRUPTED
            assert [row.outcome for row in await fleet.engine.list_receipts(one, 0, 9)] == ["INTERRUPTED"]
        for one in waiting:
            assert (await fleet.engine.store.execution(one)).state is ExecutionState.QUEUED
            assert await fleet.engine.list_receipts(one, 0, 9) == []
        assert fleet.rows("SELECT count(*) FROM ports") == [0]
