"""What the watchers of an execution are told: in order, each alike, from wherever they begin."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.engine.driving import Driver, drive, read

from sheetgrpc.engine.runs import Run
from sheetgrpc.engine.tokens import make_token
from sheetgrpc.engine.updates import (
    Finished,
    Heartbeat,
    PhaseCompleted,
    PhaseStarted,
    Progress,
    Snapshot,
    StatementResults,
    Update,
)
from sheetgrpc.engine.watcher import Watcher
from sheetgrpc.errors import NotFound, Reason
from sheetgrpc.session.model import ExecutionState, Mode
from sheetgrpc.store.records import ExecutionRow

CHAIN = 300  # phases


def _chain(length: int = CHAIN, fails_at: int | None = None) -> str:
    """Ship, voyage with the ship's key in its json, ship with the voyage's, and so on: a phase a statement."""
    parts = ['(ship.ensure :name "0" :as @s0)']
    for at in range(1, length):
        tonnage = 0 if at == fails_at else 1
        parts.append(f'(ship.ensure :name "{at}" :meta [@s{at - 1}] :tonnage {tonnage} :as @s{at})')
    return "\n".join(parts)


@asynccontextmanager
async def _queued(
    path: Path, sheet: str, mode: Mode = Mode.ATOMIC, **settings: Any
) -> AsyncIterator[tuple[Driver, str]]:
    """An engine that does not run yet, with an execution in its queue."""
    async with drive(path, start=False, **settings) as fleet:
        yield fleet, await fleet.submit(await fleet.ready(sheet), mode)


def _bodies(updates: Sequence[Update]) -> list[object]:
    return [update.body for update in updates]


def _covered(updates: Sequence[Update]) -> list[int]:
    """The depths that were told to have ended, in order."""
    ends = [body for body in _bodies(updates) if isinstance(body, PhaseCompleted)]
    return [depth for body in ends for depth in range(body.first_depth, body.last_depth + 1)]


def _check(updates: Sequence[Update]) -> None:
    """What holds for every stream that began before the end."""
    assert isinstance(updates[0].body, Snapshot)
    assert isinstance(updates[-1].body, Finished)
    assert [type(body) for body in _bodies(updates)].count(Finished) == 1
    sequences = [update.sequence for update in updates]
    assert sequences == sorted(sequences)
    assert len(set(sequences)) == len(sequences)
    progress = [body.completed for body in _bodies(updates) if isinstance(body, Progress)]
    assert progress == sorted(progress)


async def test_a_stream_tells_it_all_from_snapshot_to_finished(path: Path) -> None:
    async with _queued(path, _chain()) as (fleet, execution):
        watcher = await fleet.engine.watch(execution, "", False)
        first = await watcher.next()
        assert first is not None
        assert isinstance(first.body, Snapshot)
        assert first.body.execution.state is ExecutionState.QUEUED
        fleet.engine._executor.start()
        updates = [first, *await read(watcher)]
        _check(updates)
        assert _covered(updates) == list(range(CHAIN))
        assert sum(body.succeeded for body in _bodies(updates) if isinstance(body, PhaseCompleted)) == CHAIN
        assert [body.completed for body in _bodies(updates) if isinstance(body, Progress)][-1] == CHAIN
        assert any(isinstance(body, PhaseStarted) for body in _bodies(updates))
        assert not any(isinstance(body, StatementResults) for body in _bodies(updates))
        last = updates[-1].body
        assert isinstance(last, Finished)
        assert (last.execution.state, last.execution.phases_completed) == (ExecutionState.SUCCEEDED, CHAIN)


@pytest.mark.parametrize(
    ("mode", "ended"), [(Mode.ATOMIC, 200), (Mode.ATOMIC_COLLECT, CHAIN), (Mode.BEST_EFFORT, CHAIN)]
)
async def test_every_phase_that_ended_is_told_before_a_failed_finish(path: Path, mode: Mode, ended: int) -> None:
    async with _queued(path, _chain(fails_at=200), mode) as (fleet, execution):
        watcher = await fleet.engine.watch(execution, "", False)
        fleet.engine._executor.start()
        updates = await read(watcher)
        _check(updates)
        assert _covered(updates) == list(range(ended))
        ends = [body for body in _bodies(updates) if isinstance(body, PhaseCompleted)]
        told = sum(e.succeeded for e in ends), sum(e.failed for e in ends), sum(e.skipped for e in ends)
        assert told == ((200, 0, 0) if mode is Mode.ATOMIC else (200, 1, CHAIN - 201))
        last = updates[-1].body
        assert isinstance(last, Finished)
        assert last.execution.phases_completed == ended


async def test_a_token_continues_exactly_where_it_was_given(path: Path) -> None:
    """After each and every update."""
    async with _queued(path, _chain()) as (fleet, execution):
        watcher = await fleet.engine.watch(execution, "", True, from_start=True)
        fleet.engine._executor.start()
        run = fleet.engine._context.runs.get(execution)
        assert run is not None
        updates = (await read(watcher))[1:]
        run.execution = updates[-1].body.execution  # type: ignore[union-attr]  # Finished
        fleet.engine._context.runs._runs[execution] = run  # as it was a moment before it was let go
        for at, update in enumerate(updates[:-1]):
            again = await fleet.engine.watch(execution, update.token, True)
            assert await read(again) == updates[at + 1 :]


@pytest.mark.parametrize(
    "token",
    ["", "no token", make_token("01ARZ3NDEKTSV4RRFFQ69G5FAV", 1, 1), "OLD EPOCH", "BEYOND", "é", "LATER VERSION"],
)
async def test_any_other_token_begins_with_a_snapshot(path: Path, token: str) -> None:
    async with _queued(path, _chain()) as (fleet, execution):
        known = {"OLD EPOCH": (7, 1), "BEYOND": (0, 99)}
        if token in known:
            token = make_token(execution, *known[token])
        watcher = await fleet.engine.watch(execution, token, False)
        fleet.engine._executor.start()
        _check(await read(watcher))


async def test_who_comes_after_the_end_gets_snapshot_and_finished(fleet: Driver) -> None:
    ran = await fleet.run(_chain(5))
    token = make_token(ran.execution.id, 1, 2)
    for given, from_start in (("", False), (token, False), ("", True)):
        updates = await read(await fleet.engine.watch(ran.execution.id, given, True, from_start=from_start))
        assert _bodies(updates) == [Snapshot(ran.execution), Finished(ran.execution)]


async def test_who_comes_while_it_ends_gets_snapshot_and_finished_once(path: Path) -> None:
    """It was asked for during the run, and read after it."""
    async with _queued(path, _chain(5)) as (fleet, execution):
        watcher = await fleet.engine.watch(execution, "", False)
        fleet.engine._executor.start()
        ended = await fleet.finish(execution)
        updates = await read(watcher)
        assert _bodies(updates) == [Snapshot(ended), Finished(ended)]
        _check(updates)


async def test_all_watchers_get_the_same_updates(path: Path) -> None:
    """The very same ones: each is encoded once."""
    async with _queued(path, _chain()) as (fleet, execution):
        watchers = [await fleet.engine.watch(execution, "", at % 2 == 0) for at in range(300)]
        streams = [asyncio.create_task(read(watcher)) for watcher in watchers]
        await asyncio.sleep(0)
        fleet.engine._executor.start()
        found = await asyncio.gather(*streams)
        for updates in found:
            _check(updates)
        first, second = found[0], found[1]
        assert [update for update in first if not isinstance(update.body, StatementResults)] == second
        assert all(a is b for other in found[2::2] for a, b in zip(first, other, strict=True))
        assert all(a is b for other in found[3::2] for a, b in zip(second, other, strict=True))


@pytest.mark.parametrize("mode", [Mode.ATOMIC, Mode.BEST_EFFORT])
async def test_results_come_once_each(path: Path, mode: Mode) -> None:
    """As they will be stored, for a run that commits."""
    async with _queued(path, _chain(fails_at=200 if mode is Mode.BEST_EFFORT else None), mode) as (fleet, execution):
        watcher = await fleet.engine.watch(execution, "", True, from_start=True)
        fleet.engine._executor.start()
        updates = await read(watcher)
        _check(updates)
        told = [view.row for body in _bodies(updates) if isinstance(body, StatementResults) for view in body.results]
        stored = [view.row for view in await fleet.results(execution)]
        assert sorted(row.index for row in told) == list(range(CHAIN))
        assert [(row.index, row.status, row.key) for row in told] == [
            (row.index, row.status, row.key) for row in stored
        ]


async def test_a_silent_stream_carries_heartbeats(path: Path) -> None:
    async with _queued(path, _chain(5), heartbeat_interval=0.02) as (fleet, execution):
        watcher = await fleet.engine.watch(execution, "", False)
        first = [await watcher.next() for _ in range(4)]
        assert [type(update.body) for update in first if update is not None] == [Snapshot] + [Heartbeat] * 3
        assert len({update.token for update in first if update is not None}) == 1
        fleet.engine._executor.start()
        updates = [update for update in await read(watcher) if not isinstance(update.body, Heartbeat)]
        assert _covered(updates) == list(range(5))


async def test_an_unknown_execution_is_not_found(fleet: Driver) -> None:
    with pytest.raises(NotFound) as refused:
        await fleet.engine.watch("01ARZ3NDEKTSV4RRFFQ69G5FAV", "", False)
    assert refused.value.reason is Reason.EXECUTION_NOT_FOUND


async def test_who_asks_before_the_submit_is_through_waits_for_the_run(path: Path) -> None:
    """The row is there a moment before the queue knows it."""
    async with _queued(path, _chain(5)) as (fleet, execution):
        row = await fleet.engine.get_execution(execution)
        fleet.engine._context.runs.remove(execution)
        watcher = await fleet.engine.watch(execution, "", False)
        fleet.engine._context.runs.adopt(row)
        fleet.engine._executor.start()
        updates = await read(watcher)
        _check(updates)
        assert _covered(updates) == list(range(5))


async def test_progress_is_laid_over_what_is_stored(path: Path) -> None:
    """GetExecution and a later snapshot see phases that no stored row knows of yet."""
    run = Run(_row())
    run.phases_completed(PhaseCompleted(0, 4, 5, 0, 0))
    run.statements_done(range(5))
    body = run.snapshot().body
    assert isinstance(body, Snapshot)
    assert body.execution.phases_completed == 5
    run.finish(_row(ExecutionState.ROLLED_BACK))
    assert run.live.phases_completed == 0


class Time:
    """A clock that stands until it is told."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize("statements", [1, 2000])
async def test_a_busy_run_tells_about_twenty_updates_a_second(statements: int) -> None:
    """However many phases and statements end."""
    time = Time()
    run = Run(_row(), time)
    for depth in range(10_000):  # ten seconds, a phase a millisecond
        time.now += 0.001
        run.phase_started(depth, statements)
        run.statements_done(range(depth, depth + statements) if depth % 100 == 0 else ())
        run.phases_completed(PhaseCompleted(depth, depth, 1, 0, 0))
    assert run.head <= 10 * 21
    run.finish(_row(ExecutionState.SUCCEEDED))
    updates = [run.after(at) for at in range(run.head)]
    assert _covered([update for update in updates if update is not None]) == list(range(10_000))


async def test_what_waits_is_told_without_another_event(path: Path) -> None:
    """A phase that ends within the pause is told when the pause is over."""
    run = Run(_row())
    run.phase_started(0, 1)
    run.phases_completed(PhaseCompleted(0, 0, 1, 0, 0))
    watcher = Watcher(run, None, 1, results=False, heartbeat=60)
    update = await watcher.next()
    assert update is not None
    assert isinstance(update.body, PhaseCompleted)


async def test_a_watcher_that_falls_behind_begins_again_with_a_snapshot() -> None:
    time = Time()
    run = Run(_row(), time)
    watcher = Watcher(run, None, 0, results=False, heartbeat=60)
    for depth in range(3000):
        time.now += 1
        run.phases_completed(PhaseCompleted(depth, depth, 1, 0, 0))
    assert not run.holds(0)
    update = await watcher.next()
    assert update is not None
    assert isinstance(update.body, Snapshot)
    assert update.sequence == run.head
    run.finish(_row(ExecutionState.SUCCEEDED))
    assert [type(body) for body in _bodies(await read(watcher))] == [Finished]


async def test_a_closed_watcher_is_over() -> None:
    watcher = Watcher(Run(_row()), None, None, results=False, heartbeat=60)
    watcher.close()
    assert await watcher.next() is None


def _row(state: ExecutionState = ExecutionState.RUNNING) -> ExecutionRow:
    return ExecutionRow(
        id="01ARZ3NDEKTSV4RRFFQ69G5FAV",
        session_id="01ARZ3NDEKTSV4RRFFQ69G5FAW",
        sheet_id="01ARZ3NDEKTSV4RRFFQ69G5FAX",
        sheet_digest="d" * 64,
        mode=Mode.ATOMIC,
        state=state,
        submitted_at=0,
        statements_total=10_000,
        phases_total=10_000,
        epoch=1,
    )
