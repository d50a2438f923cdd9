"""A run's updates as bytes, for servers that do not run it: with their sequences, so that a place is the same on each.

Knows the form and nothing of who writes or reads it.
"""

from collections.abc import Callable

import msgspec

from sheetgrpc.engine.runs import Run
from sheetgrpc.engine.tokens import make_token
from sheetgrpc.engine.updates import (
    Body,
    Finished,
    PhaseCompleted,
    PhaseStarted,
    Progress,
    Snapshot,
    StatementResults,
    Update,
)
from sheetgrpc.engine.views import ResultView
from sheetgrpc.store.leases import ProgressRow
from sheetgrpc.store.records import ExecutionRow, ResultRow

MOST_RESULTS = 5_000
"""Statements of a run up to which their results are told too, before the run ends; of more, they are read then."""


class Told(msgspec.Struct, frozen=True, array_like=True):
    """An update. `kind` is the name of its body's type, `numbers` its fields."""

    sequence: int
    time: int
    kind: str
    numbers: tuple[int, ...] = ()
    results: tuple[ResultRow, ...] = ()


class Place(msgspec.Struct, frozen=True, array_like=True):
    """How far a run has told, and what that added up to."""

    sequence: int = 0
    phases: int = 0
    completed: int = 0


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(tuple[Place, tuple[Told, ...]]).decode


def write_progress(run: Run, place: Place) -> tuple[ProgressRow | None, Place]:
    """What the run has told beyond a place, as far as it is kept, None if that is nothing; and the place after it."""
    told: list[Told] = []
    phases, completed = place.phases, place.completed
    update = run.after(max(place.sequence, run.first - 1))
    while update is not None:
        told.append(_write(update, results=run.total <= MOST_RESULTS))
        if isinstance(update.body, PhaseCompleted):
            phases = update.body.last_depth + 1
        elif isinstance(update.body, Progress):
            completed = update.body.completed
        update = run.after(update.sequence)
    if not told:
        return None, place
    execution, last = run.execution, told[-1].sequence
    row = ProgressRow(execution.id, execution.epoch, last, _encode((place, told)))
    return row, Place(last, phases, completed)


def read_progress(row: ProgressRow, execution: Callable[[], ExecutionRow]) -> tuple[Place, list[Update]]:
    """Where a row begins, and its updates; those about the whole execution tell what `execution` answers."""
    place, told = _decode(row.body)
    updates = [
        Update(
            row.epoch,
            one.sequence,
            make_token(row.execution_id, row.epoch, one.sequence),
            one.time,
            _read_body(one, execution),
        )
        for one in told
    ]
    return place, updates


def _write(update: Update, *, results: bool) -> Told:
    body = update.body
    numbers: tuple[int, ...] = ()
    rows: tuple[ResultRow, ...] = ()
    if isinstance(body, PhaseStarted | PhaseCompleted | Progress):
        numbers = msgspec.structs.astuple(body)
    elif isinstance(body, StatementResults) and results:
        rows = tuple(view.row for view in body.results)
    return Told(update.sequence, update.time, type(body).__name__, numbers, rows)


def _read_body(told: Told, execution: Callable[[], ExecutionRow]) -> Body:
    match told.kind:
        case "PhaseStarted":
            return PhaseStarted(*told.numbers)
        case "PhaseCompleted":
            return PhaseCompleted(*told.numbers)
        case "Progress":
            return Progress(*told.numbers)
        case "StatementResults":
            rows = told.results
            return StatementResults(lambda: [ResultView(row) for row in rows])
        case "Finished":
            return Finished(execution())
        case _:
            return Snapshot(execution())
