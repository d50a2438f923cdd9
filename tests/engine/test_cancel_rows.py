"""Rows of control.md's cancel matrix that hang on a moment of their own, on every backend: put off, between phases,
ended in each of the ways there are, unknown, and a process that goes away in each state of a run.

Every row of the matrix is named in the docstring of the test that shows it, here or elsewhere; nothing hangs on timing.
"""

from pathlib import Path
from typing import Any

import pytest
from tests.engine.driving import BEST, Driver, drive, read
from tests.engine.places import Place
from tests.engine.stopping import PATIENCE, cancel, gated, run
from tests.engine.test_retries import gone
from tests.engine.troubling import BUSY, Stepped, stepped

from sheetgrpc.engine.updates import PhaseStarted
from sheetgrpc.errors import NotFound, Reason
from sheetgrpc.planning.model import Status
from sheetgrpc.session.model import ExecutionState, Mode, State

SHEET = '(ship.ensure :name "S" :as @s) (voyage.ensure :ship @s :number 1)'
LARGE = "".join(f'(ship.ensure :name "{at}" :as @s{at})' for at in range(2001)) + "(voyage.ensure :ship @s0 :number 1)"
FAILING = '(ship.ensure :name "x" :tonnage 0)'
SLOW = '(slow.work :name "slow")'  # its trigger takes minutes
CANCELLED = ExecutionState.CANCELLED


@pytest.mark.parametrize("deferrals", [0, 3])
async def test_what_waits_ends_at_once_and_no_attempt_was_made(path: Place, deferrals: int) -> None:
    """C-3.2 "PENDING / QUEUED / deferred (future not-before)": ended, no receipt, and the wait comes to nothing."""
    async with stepped(path) as fleet:
        before = fleet.dump()
        execution = await fleet.queued(SHEET)
        fleet.trouble.give("begin", *[BUSY] * deferrals)
        for _ in range(deferrals):
            assert await fleet.step()
            fleet.hands.go(1.6 if fleet.trouble.errors["begin"] else 0)
        waiting = await fleet.row(execution)
        assert (waiting.state, waiting.deferral_count) == (ExecutionState.QUEUED, deferrals)
        assert (waiting.next_attempt_at or 0) > (fleet.hands.at if deferrals else -1)
        answer = await cancel(fleet, execution)
        assert (answer.outcome, answer.execution.state) == ("CANCELLED_BEFORE_START", CANCELLED)
        assert (answer.execution.ended_at, answer.execution.epoch) == (fleet.hands.at, 0)
        fleet.hands.go(100)
        assert not await fleet.step()
        assert await fleet.receipts(execution) == []
        assert await fleet.row(execution) == answer.execution
        assert fleet.dump() == before
        events = await fleet.engine.list_events(answer.execution.session_id, 0, 100, ["ExecutionFinished"])
        assert [row.event.execution_id for row in events] == [execution]  # type: ignore[union-attr]  # of that type


@pytest.mark.parametrize("mode", [Mode.ATOMIC, Mode.ATOMIC_COLLECT, BEST])
async def test_between_two_phases_the_next_one_never_starts(path: Path, mode: Mode) -> None:
    """C-3.2 "RUNNING between phases: next phase never starts". Small phases share a trip to the database; not these."""
    async with gated(path) as (fleet, gate):
        before = fleet.dump()
        execution = await fleet.submit(await fleet.ready(LARGE), mode)
        watcher = await fleet.engine.watch(execution, "", False, from_start=True)
        gate.set("apply", after=True)
        run(fleet)
        await gate.reached.wait()
        assert (await cancel(fleet, execution)).outcome == "CANCEL_REQUESTED"
        gate.opened.set()
        assert (await fleet.finish(execution)).state is CANCELLED
        assert gate.calls == 1  # of `apply`: the second phase would be another
        bodies = [update.body for update in await read(watcher)]
        assert [body.depth for body in bodies if isinstance(body, PhaseStarted)] == [0]
        statuses = [Status(result.row.status).name for result in await fleet.results(execution)]
        assert statuses == ["ROLLED_BACK"] * 2001 + ["NOT_RUN"]
        (receipt,) = await fleet.engine.list_receipts(execution, 0, 9)
        assert (receipt.outcome, receipt.phases_completed) == ("CANCELLED", 1)
        assert fleet.dump() == before


async def _ends(fleet: Stepped) -> dict[str, str]:
    """An execution for each way to end but INTERRUPTED, by its state."""
    found = []
    for sheet, mode, within in (
        (SHEET, Mode.ATOMIC, None),
        (FAILING, Mode.ATOMIC, None),
        (f'{FAILING} (port.ensure :code "P")', BEST, None),
        (SLOW, Mode.ATOMIC, 200_000),
    ):
        found.append(await fleet.submit(await fleet.ready(sheet), mode, within))
        assert await fleet.step()
    found.append(await fleet.queued(SHEET))
    fleet.trouble.give("sheet", gone)
    assert await fleet.step()
    found.append(await fleet.queued(SHEET))
    await cancel(fleet, found[-1])
    return {(await fleet.row(one)).state.value: one for one in found}


async def test_what_has_ended_in_any_way_stays_as_it_is(path: Place) -> None:
    """C-R25, C-3.2 "cancel COMPLETED/FAILED/SKIPPED: ALREADY_TERMINAL + state; row unchanged byte for byte"."""
    async with stepped(path) as fleet:
        ends = await _ends(fleet)
        left = await fleet.queued(SHEET)
        assert await fleet.engine._executor._runner.claim(await fleet.row(left)) is not None
    async with stepped(path) as fleet:
        ends[(await fleet.row(left)).state.value] = left
        assert set(ends) == {state.value for state in ExecutionState if state.terminal}
        before = _stored(fleet)
        for state, execution in ends.items():
            fleet.hands.go(1)
            answer = await cancel(fleet, execution, wait=PATIENCE)
            assert (answer.outcome, answer.execution.state.value) == ("ALREADY_FINISHED", state)
            assert answer.execution == await fleet.row(execution)
        assert _stored(fleet) == before


def _stored(fleet: Driver) -> list[str]:
    tables = ("executions", "execution_receipts", "results", "events", "sessions", "replies")
    return [str(sorted(map(str, fleet.rows(f"SELECT * FROM sheetgrpc_{table}")))) for table in tables]


@pytest.mark.parametrize(
    "execution", ["", "0", "-1", str(2**63), str(-(2**63) - 1), "9" * 400, "01ARZ3NDEKTSV4RRFFQ69G5FAV", "x\0y", "é"]
)
async def test_an_id_of_nothing_is_not_found(fleet: Driver, execution: str) -> None:
    """C-R25, C-3.2 "cancel unknown id, 0, negative, > 2^63-1"; ids are text here."""
    with pytest.raises(NotFound) as refused:
        await cancel(fleet, execution)
    assert refused.value.reason is Reason.EXECUTION_NOT_FOUND


@pytest.mark.parametrize(
    ("state", "gate_at", "end"),
    [
        ("RUNNING", {"method": "apply"}, "INTERRUPTED"),
        ("RUNNING", {"method": "apply", "after": True}, "INTERRUPTED"),
        ("CANCELLING", {"method": "apply"}, "INTERRUPTED"),
        ("COMMITTING", {"method": "record"}, "INTERRUPTED"),
        ("COMMITTING", {"method": "commit", "number": 2}, "INTERRUPTED"),
        ("COMMITTING", {"method": "commit", "number": 2, "after": True}, "SUCCEEDED"),
    ],
)
async def test_a_process_that_goes_leaves_all_or_nothing(
    path: Path, state: str, gate_at: dict[str, Any], end: str
) -> None:
    """C-3.2 "service restart while CANCELLING / RUNNING / COMMITTING", "executor dies while CANCELLING": no retry.

    A run whose process is gone is INTERRUPTED and never put back; there is no journal, as there is one transaction.
    Whoever cancels it afterwards is told the end. tests/faults and tests/replicas have the same with SIGKILL.
    """
    async with gated(path, replica_lease=0.5) as (fleet, gate):
        before = fleet.dump()
        session = await fleet.ready(SHEET)
        execution = await fleet.submit(session)
        gate.set(**gate_at)
        run(fleet)
        await gate.reached.wait()
        if state == "CANCELLING":
            assert (await cancel(fleet, execution)).outcome == "CANCEL_REQUESTED"
        if end != "SUCCEEDED":  # else the end is stored already, and told
            assert (await fleet.engine.get_execution(execution)).state.value == state
        await fleet.engine.store.close()
        gate.opened.set()
    async with drive(path) as fleet:
        row = await fleet.finish(execution)
        assert (row.state.value, row.epoch, row.retry_count) == (end, 1, 0)
        assert [receipt.outcome for receipt in await fleet.engine.list_receipts(execution, 0, 9)] == [end]
        assert (await cancel(fleet, execution)).outcome == "ALREADY_FINISHED"
        assert await fleet.state(session) is State.EXECUTED
        assert (fleet.dump() == before) is (end != "SUCCEEDED")
