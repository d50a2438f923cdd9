"""What follows a failed attempt, on every backend: each row of control.md 1.2 and 3.3 by its name.

The clocks stand still between two moves, and the queue is stepped by hand.
"""

import asyncio

import msgspec
import pytest
from tests.engine.driving import read
from tests.engine.hands import SECOND, Hands
from tests.engine.places import Place
from tests.engine.stopping import Gate, cancel
from tests.engine.troubling import AWAY, BUSY, Stepped, stepped

from sheetgrpc.engine import endings, intents
from sheetgrpc.engine.intents import Envelope
from sheetgrpc.engine.updates import Finished, Snapshot
from sheetgrpc.errors import NotAllowed, NotFound, Reason
from sheetgrpc.session.model import ExecutionState, State
from sheetgrpc.store.records import ExecutionFilter

SHEET = '(ship.ensure :name "S" :as @s) (voyage.ensure :ship @s :number 1)'
QUEUED, FAILED, SUCCEEDED = ExecutionState.QUEUED, ExecutionState.FAILED, ExecutionState.SUCCEEDED
DELAYS = (4, 16, 64)


def gone() -> NotFound:
    """What no waiting mends."""
    return NotFound(Reason.ENTITY_NOT_FOUND, "a table is not what it was")


async def _retry(fleet: Stepped, execution: str, number: int, delay: int) -> None:
    """The execution has just been put back for the nth time."""
    row = await fleet.row(execution)
    assert (row.state, row.retry_count, row.epoch) == (QUEUED, number, number)
    assert row.next_attempt_at == fleet.hands.at + delay * SECOND
    assert (row.started_at, row.ended_at, row.status_counts, row.tables) == (None, None, {}, ())  # C-R9
    assert row.error is not None
    assert row.error.code == "DB_CONNECTION"  # why it waits
    assert await fleet.state(row.session_id) is State.EXECUTING
    assert not await fleet.step()
    fleet.hands.go(delay - 0.001)
    assert not await fleet.step()
    fleet.hands.go(0.001)


@pytest.mark.parametrize(("method", "error"), [("apply", BUSY), ("apply", AWAY), ("record", AWAY)])
async def test_transient_three_times_then_success(path: Place, method: str, error: object) -> None:
    """C-3.3 "transient x3 then success (count 3, COMPLETED)"; 1.2 "transient failure, count < 3": 4, 16, 64 s."""
    async with stepped(path) as fleet:
        before = fleet.dump()
        execution = await fleet.queued(SHEET)
        fleet.trouble.give(method, error, error, error)
        for number, delay in enumerate(DELAYS, start=1):
            assert await fleet.step()
            assert fleet.dump() == before
            await _retry(fleet, execution, number, delay)
        assert await fleet.step()
        row = await fleet.row(execution)
        assert (row.state, row.retry_count, row.deferral_count, row.epoch) == (SUCCEEDED, 3, 0, 4)
        assert (row.error, row.next_attempt_at) == (None, None)
        assert fleet.rows("SELECT name FROM ships") == ["S"]
        receipts = await fleet.receipts(execution)
        assert [receipt.outcome for receipt in receipts] == ["RETRIED", "RETRIED", "RETRIED", "SUCCEEDED"]
        assert [receipt.epoch for receipt in receipts] == [1, 2, 3, 4]
        assert {receipt.sheet_digest for receipt in receipts} == {row.sheet_digest}
        assert receipts[-1].tables == row.tables
        assert (receipts[0].tables, receipts[-1].phases_completed) == ((), 2)


async def test_transient_four_times_is_a_dead_letter_of_four_attempts(path: Place) -> None:
    """C-3.3 "transient x4 -> dead letter, 4 attempts"; 1.2 "transient failure, count >= 3"."""
    async with stepped(path) as fleet:
        execution = await fleet.queued(SHEET)
        fleet.trouble.give("apply", *[AWAY] * 4)
        for delay in DELAYS:
            assert await fleet.step()
            fleet.hands.go(delay)
        assert await fleet.step()
        row = await fleet.row(execution)
        assert (row.state, row.retry_count, row.epoch) == (FAILED, 3, 4)
        assert row.error is not None
        assert "given up after 3 retries" in row.error.message
        assert await fleet.outcomes(execution) == ["RETRIED", "RETRIED", "RETRIED", "FAILED"]
        assert sum(row.status_counts.values()) == row.statements_total
        (dead,) = await fleet.engine.list_executions(ExecutionFilter(dead_letters_only=True), 9, None)
        assert dead == row
        fleet.hands.go(10_000)
        assert not await fleet.step()


async def test_permanent_the_first_time_is_one_attempt(path: Place) -> None:
    """C-3.3 "permanent first time -> 1 attempt"; 1.2 "permanent failure": a dead letter, its count as it was."""
    async with stepped(path) as fleet:
        execution = await fleet.queued(SHEET)
        fleet.trouble.give("sheet", gone)
        assert await fleet.step()
        row = await fleet.row(execution)
        assert (row.state, row.retry_count, row.epoch) == (FAILED, 0, 1)
        assert await fleet.outcomes(execution) == ["FAILED"]
        (dead,) = await fleet.engine.list_executions(ExecutionFilter(dead_letters_only=True), 9, None)
        assert dead.id == execution


async def test_a_failing_statement_is_a_result_and_never_retried(path: Place) -> None:
    """C-R13: classes of failure, not texts; what the sheet did wrong is no dead letter."""
    async with stepped(path) as fleet:
        execution = await fleet.queued('(ship.ensure :name "x" :tonnage 0)')
        assert await fleet.step()
        row = await fleet.row(execution)
        assert (row.state, row.retry_count) == (ExecutionState.ROLLED_BACK, 0)
        assert await fleet.outcomes(execution) == ["ROLLED_BACK"]
        assert await fleet.engine.list_executions(ExecutionFilter(dead_letters_only=True), 9, None) == []


async def test_rejected_a_thousand_times_it_still_waits_and_has_not_failed(path: Place) -> None:
    """C-R11, C-R12, C-3.3 "rejected 1000 times"; 1.2 "capacity rejection": its count unchanged, backing off."""
    async with stepped(path) as fleet:
        execution = await fleet.queued(SHEET)
        fleet.trouble.give("begin", *[BUSY] * 1000)
        waits = []
        for number in range(1, 1001):
            assert await fleet.step()
            row = await fleet.row(execution)
            assert (row.state, row.retry_count, row.deferral_count, row.epoch) == (QUEUED, 0, number, 0)
            assert row.next_attempt_at is not None
            waits.append(row.next_attempt_at - fleet.hands.at)
            assert not await fleet.step()  # no hot loop
            fleet.hands.stand(row.next_attempt_at)
        assert 25_000 <= waits[0] <= 50_000
        assert max(waits) <= 1_600_000
        assert min(waits[10:]) >= 800_000
        assert await fleet.step()
        row = await fleet.row(execution)
        assert (row.state, row.retry_count, row.deferral_count, row.epoch) == (SUCCEEDED, 0, 1000, 1)
        assert await fleet.outcomes(execution) == ["SUCCEEDED"]  # what was never begun leaves no receipt


async def test_no_room_when_a_claimed_run_is_to_begin_is_a_rejection(path: Place) -> None:
    """Where another program has SQLite's file locked, the first statement of the run is told."""
    async with stepped(path) as fleet:
        execution = await fleet.queued(SHEET)
        fleet.trouble.give("recheck", BUSY)
        assert await fleet.step()
        row = await fleet.row(execution)
        assert (row.state, row.retry_count, row.deferral_count, row.epoch) == (QUEUED, 0, 1, 1)


async def test_rejections_and_failures_are_counted_apart(path: Place) -> None:
    """C-3.3 "mixture reject/fail keeps counts apart", also where the database has no room after the claim."""
    async with stepped(path) as fleet:
        execution = await fleet.queued(SHEET)
        fleet.trouble.give("begin", BUSY, None, BUSY, None, None, None, None, BUSY)
        fleet.trouble.give("apply", AWAY)
        counts = []
        for _ in range(12):
            if await fleet.step():
                row = await fleet.row(execution)
                counts.append((row.state.value, row.deferral_count, row.retry_count))
            fleet.hands.go(5)
        assert counts == [
            ("QUEUED", 1, 0),  # at the claim
            ("QUEUED", 2, 0),  # after it
            ("QUEUED", 2, 1),
            ("QUEUED", 3, 1),
            ("SUCCEEDED", 3, 1),
        ]
        assert await fleet.outcomes(execution) == ["DEFERRED", "RETRIED", "SUCCEEDED"]


@pytest.mark.parametrize("jump", [-3600, 3600, 0])
async def test_a_clock_that_jumps_starves_nobody_and_fires_nothing_early(path: Place, jump: int) -> None:
    """C-3.3 "clock jump backwards must not starve or fire early (monotonic for waits, UTC for storage)"."""
    async with stepped(path) as fleet:
        execution = await fleet.queued(SHEET)
        fleet.trouble.give("apply", AWAY)
        assert await fleet.step()
        fleet.hands.jump(jump)
        fleet.hands.go(3.999)
        assert not await fleet.step()
        fleet.hands.go(0.001)
        assert await fleet.step()
        assert (await fleet.row(execution)).state is SUCCEEDED


async def test_after_a_restart_nobody_waits_longer_than_the_longest_wait(path: Place) -> None:
    """As above, for the next process: it has the stored time alone, and the clock may have been set meanwhile."""
    async with stepped(path) as fleet:
        execution = await fleet.queued(SHEET)
        fleet.trouble.give("apply", AWAY)
        assert await fleet.step()
    hands = Hands(fleet.hands.at - 3600 * SECOND)
    async with stepped(path, hands) as fleet:
        assert not await fleet.step()
        hands.go(64)
        assert await fleet.step()
        row = await fleet.row(execution)
        assert (row.state, row.retry_count, row.epoch) == (SUCCEEDED, 1, 2)


async def test_equal_priorities_are_first_in_first_out_and_a_higher_one_goes_first(path: Place) -> None:
    """C-R7, C-3.3 "equal priority FIFO by id"."""
    async with stepped(path) as fleet:
        wanted = []
        for priority, name in ((0, "a"), (-5, "b"), (7, "c"), (0, "d"), (7, "e")):
            session = await fleet.ready(f'(port.ensure :code "{name}")')
            intent = intents.SubmitSheet(confirm=True, priority=priority)
            execution, _ = await fleet.engine.execute(Envelope("anna", "ExecuteSheet", session), intent)
            wanted.append((-priority, len(wanted), execution))
        order = [execution for *_, execution in sorted(wanted)]
        assert [row.id for row in await fleet.engine.store.waiting(3)] == order[:3]
        for execution in order:
            assert (await fleet.row(execution)).state is QUEUED
            assert await fleet.step()
            assert (await fleet.row(execution)).state is SUCCEEDED


async def test_a_late_receipt_changes_nothing(path: Place) -> None:
    """C-R32, C-3.3 "stale lease receipt after requeue ignored and does not free the new attempt's slot"."""
    async with stepped(path) as fleet:
        execution = await fleet.queued(SHEET)
        fleet.trouble.give("apply", AWAY)
        assert await fleet.step()
        runner = fleet.engine._executor._runner
        waiting = await fleet.engine.store.execution(execution)
        first = msgspec.structs.replace(waiting, state=ExecutionState.RUNNING, started_at=fleet.hands.at)
        late = endings.finish(first, FAILED, fleet.hands.at)
        assert await runner.end(first, late) == waiting
        second = await runner.claim(waiting)
        assert second is not None
        assert second.epoch == 2
        current = await fleet.engine.store.execution(execution)
        assert await runner.end(first, late) == current
        assert await fleet.engine.store.execution(execution) == current
        assert await fleet.outcomes(execution) == ["RETRIED"]
        assert (await runner.end(second, endings.finish(second, FAILED, fleet.hands.at))).state is FAILED
        assert await fleet.outcomes(execution) == ["RETRIED", "FAILED"]


async def test_a_cancel_during_the_wait_for_a_retry_is_the_end(path: Place) -> None:
    """C-3.2 "cancel during retry back-off: ABORTED, retry timer inert"; 1.2 "abort": its count unchanged."""
    async with stepped(path) as fleet:
        execution = await fleet.queued(SHEET)
        fleet.trouble.give("apply", AWAY)
        assert await fleet.step()
        answer = await cancel(fleet, execution)
        assert (answer.outcome, answer.execution.state) == ("CANCELLED_BEFORE_START", ExecutionState.CANCELLED)
        fleet.hands.go(100)
        assert not await fleet.step()
        row = await fleet.row(execution)
        assert (row.state, row.retry_count, row.cancelled_by) == (ExecutionState.CANCELLED, 1, "anna")
        assert await fleet.outcomes(execution) == ["RETRIED"]


async def test_a_cancel_that_meets_the_way_back_into_the_queue_waits_for_it(path: Place) -> None:
    """What is answered holds: the execution is queued by then, and ends there; nobody was told that it was too late."""
    gate = Gate()
    async with stepped(path, gate=gate) as fleet:
        execution = await fleet.queued(SHEET)
        fleet.trouble.give("apply", AWAY)
        gate.set("commit", 2)  # the claim's is the first
        attempt = asyncio.create_task(fleet.step())
        await gate.reached.wait()
        asked = asyncio.create_task(cancel(fleet, execution))
        await fleet.engine.get_execution(execution)
        assert not asked.done()
        gate.opened.set()
        answer = await asked
        assert (answer.outcome, answer.execution.state) == ("CANCELLED_BEFORE_START", ExecutionState.CANCELLED)
        await attempt
        fleet.hands.go(100)
        assert not await fleet.step()
        assert await fleet.outcomes(execution) == ["RETRIED"]


async def test_a_cancel_before_the_way_back_ends_it_as_cancelled(path: Place) -> None:
    """C-3.2 "executor dies while CANCELLING": not FAILED, no retry; nor where the database is away for a moment."""
    gate = Gate()
    async with stepped(path, gate=gate) as fleet:
        execution = await fleet.queued(SHEET)
        fleet.trouble.give("apply", AWAY)
        gate.set("open", 2)  # the claim's is the first, the run itself opens at its end alone
        attempt = asyncio.create_task(fleet.step())
        await gate.reached.wait()
        assert (await cancel(fleet, execution)).outcome == "CANCEL_REQUESTED"
        gate.opened.set()
        await attempt
        row = await fleet.row(execution)
        assert (row.state, row.retry_count, row.cancelled_by) == (ExecutionState.CANCELLED, 0, "anna")
        assert await fleet.outcomes(execution) == ["CANCELLED"]


async def test_who_watches_sees_it_wait_and_run_again(path: Place) -> None:
    """A stream goes on over attempts; positions belong to an epoch."""
    async with stepped(path) as fleet:
        execution = await fleet.queued(SHEET)
        watcher = await fleet.engine.watch(execution, "", False)
        first = await watcher.next()
        assert first is not None
        fleet.trouble.give("apply", AWAY)
        assert await fleet.step()
        fleet.hands.go(4)
        assert await fleet.step()
        updates = [first, *await read(watcher)]
        shown = [update.body.execution.state for update in updates if isinstance(update.body, Snapshot | Finished)]
        assert shown == [QUEUED, QUEUED, SUCCEEDED]
        epochs = [update.epoch for update in updates]
        assert epochs == sorted(epochs)
        assert (epochs[0], epochs[-1]) == (0, 2)


async def test_a_process_that_dies_leaves_no_retry(path: Place) -> None:
    """1.2 "stale worker": here INTERRUPTED, its count unchanged, with the attempt's receipt."""
    async with stepped(path) as fleet:
        execution = await fleet.queued(SHEET)
        assert await fleet.engine._executor._runner.claim(await fleet.row(execution)) is not None
    async with stepped(path) as fleet:
        row = await fleet.row(execution)
        assert (row.state, row.retry_count, row.epoch) == (ExecutionState.INTERRUPTED, 0, 1)
        assert await fleet.outcomes(execution) == ["INTERRUPTED"]


async def replay(fleet: Stepped, execution: str, *, confirm: bool = True) -> str:
    """The id of the replay."""
    found = []

    def keep(outcome: object) -> bytes:
        found.append(outcome.execution)  # type: ignore[attr-defined]  # an Outcome
        return b""

    envelope = Envelope("anna", "ReplayExecution", execution, names_execution=True)
    await fleet.engine.handle(envelope, intents.ReplayExecution(execution, confirm), keep)
    return str(found[-1].id)


async def test_a_dead_letter_is_replayed_once_and_keeps_its_link(path: Place) -> None:
    """C-R15, 1.2 "dead-letter replay", C-3.3 "replay of dead letter twice -> second NOT_FOUND".

    The original stays here, so the second is told who replayed it: EXECUTION_NOT_REPLAYABLE.
    """
    async with stepped(path) as fleet:
        session = await fleet.ready(SHEET)
        intent = intents.SubmitSheet(confirm=True, priority=5, timeout=SECOND)
        original, _ = await fleet.engine.execute(Envelope("anna", "ExecuteSheet", session), intent)
        fleet.trouble.give("sheet", gone, None, gone)
        assert await fleet.step()
        assert (await fleet.row(original)).state is FAILED
        again = await replay(fleet, original)
        row = await fleet.row(again)
        assert (row.state, row.retry_count, row.epoch, row.replay_of) == (QUEUED, 0, 0, original)
        assert (row.priority, row.timeout) == (5, SECOND)
        assert await fleet.engine.list_executions(ExecutionFilter(dead_letters_only=True), 9, None) == []
        (listed,) = await fleet.engine.list_executions(ExecutionFilter(replay_of=original), 9, None)
        assert listed.id == again
        with pytest.raises(NotAllowed) as refused:
            await replay(fleet, again)
        assert refused.value.reason is Reason.EXECUTION_NOT_REPLAYABLE  # it has not ended
        assert await fleet.step()
        assert (await fleet.row(again)).state is FAILED
        with pytest.raises(NotAllowed) as refused:
            await replay(fleet, original)
        assert (refused.value.reason, refused.value.metadata["replayedBy"]) == (Reason.EXECUTION_NOT_REPLAYABLE, again)
        last = await replay(fleet, again)
        assert await fleet.step()
        assert (await fleet.row(last)).state is SUCCEEDED
        assert fleet.rows("SELECT name FROM ships") == ["S"]
        with pytest.raises(NotAllowed) as refused:
            await replay(fleet, last)
        assert refused.value.reason is Reason.EXECUTION_NOT_REPLAYABLE  # it committed


async def test_what_the_session_has_left_behind_is_not_replayed(path: Place) -> None:
    async with stepped(path) as fleet:
        session = await fleet.ready(SHEET)
        execution = await fleet.submit(session)
        await cancel(fleet, execution)
        await fleet.call(session, intents.ImportSheet(SHEET))
        with pytest.raises(NotAllowed) as refused:
            await replay(fleet, execution)
        assert refused.value.reason is Reason.EXECUTION_NOT_REPLAYABLE
        assert "another sheet" in refused.value.message
