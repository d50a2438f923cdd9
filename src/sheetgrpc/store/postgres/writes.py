"""Writes the batches of a plan in set-based statements.

A batch goes in one piece: a look-up and an insert or update over all its rows. If anything in it fails, it is taken
back to a savepoint and goes again in halves, and these in halves, so that the failing statements are known exactly.
"""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import repeat
from time import perf_counter_ns
from typing import TYPE_CHECKING

from sheetgrpc.catalog.model import Catalog, VerbKind
from sheetgrpc.planning import blocking
from sheetgrpc.planning.model import Effect, Group, Key, Plan, Results, StatementError, Status
from sheetgrpc.store.base import Interrupted
from sheetgrpc.store.batches import (
    DOOMED,
    PIECE,
    Entangled,
    Failure,
    Rows,
    bind,
    details_of,
    doom,
    fold,
    note_time,
    reach,
    symbols_of,
    take_back,
    wanted_keys,
)
from sheetgrpc.store.postgres.calls import Calls
from sheetgrpc.store.postgres.lookups import find_existing
from sheetgrpc.store.postgres.statements import Compiled, Shape
from sheetgrpc.store.postgres.texts import key_texts
from sheetgrpc.store.postgres.verbs import run_rows
from sheetgrpc.store.records import ExecutionRow

if TYPE_CHECKING:
    from sheetgrpc.store.postgres.connection import Connection

_COLUMNS = (
    "execution_id", "statement_index", "depth", "status", "effect", "key", "symbol", "entity_type", "micros", "detail",
)  # fmt: skip


class Batches:
    """The batches of one plan on their way into the database."""

    def __init__(
        self, connection: "Connection", compiled: Compiled, plan: Plan, results: Results, *, collect: bool
    ) -> None:
        """`collect`: goes on after a failure."""
        self._connection = connection
        self._compiled = compiled
        self._plan = plan
        self._results = results
        self._collect = collect
        self._calls = Calls(connection, compiled.calling, compiled.live, plan, results, collect=collect)
        self._folds: dict[int, int] = {}  # of the batch: statement -> the equal one before it

    async def apply(self, first: int, last: int) -> int:
        """Writes batches `first..last-1`; answers how many were done. See `store.base.Transaction.apply`."""
        plan, results, catalog = self._plan, self._results, self._compiled.catalog
        at = tried = first
        began = perf_counter_ns()
        while at < last:
            number, start, stop, depth = plan.batches[4 * at : 4 * at + 4]
            group = plan.groups[number]
            if at >= tried:
                tried = reach(catalog, plan, results, at, last)
                end = plan.batches[4 * tried - 2]
                if tried > at + 1 and await self._several(group, start, end):
                    ended = perf_counter_ns()
                    note_time(group, start, end, results, ended - began)
                    at, began = tried, ended
                    continue
            if results.roots:
                blocking.skip(catalog, results, group, start, stop, depth)
            well = await self._batch(group, start, stop)
            ended = perf_counter_ns()
            if not self._is_call(group):
                note_time(group, start, stop, results, ended - began)
            at, began = at + 1, ended
            if not well and not self._collect:
                break
        return at - first

    async def _several(self, group: Group, start: int, stop: int) -> bool:
        """Batches that need each other in one piece, or nothing of them, and False."""
        if self._results.stop:
            raise Interrupted("the run was told to stop")
        again = partial(bind, group, start, stop, self._results)
        rows = again()
        keys = [self._results.keys[index] for index in rows.indexes]
        self._results.note(rows.indexes[0])
        if await self._try(self._compiled.shape(group), rows, again) is None:
            return True
        take_back(rows.indexes, keys, self._results)
        return False

    def _is_call(self, group: Group) -> bool:
        return self._compiled.catalog.verbs[group.verb].kind is VerbKind.CALL

    async def _batch(self, group: Group, start: int, stop: int) -> bool:
        """True if all went well."""
        if self._is_call(group):
            return await self._calls.run(group, start, stop)
        shape = self._compiled.shape(group)
        self._folds = {}
        well = True
        for begin in range(start, stop, PIECE):
            well = await self._piece(shape, group, begin, min(begin + PIECE, stop)) and well
            if not well and not self._collect:
                return False
        return well

    async def _piece(self, shape: Shape, group: Group, start: int, stop: int) -> bool:
        """True if all went well; else what failed has been found, and the others are done."""
        if self._results.stop:
            raise Interrupted("the run was told to stop")
        rows = bind(group, start, stop, self._results)
        well = True
        if self._collect or stop - start == 1:
            rows, well = self._fail_known(rows)
        if not rows.indexes or (not well and not self._collect):
            return well
        keys = [self._results.keys[index] for index in rows.indexes]
        self._results.note(rows.indexes[0])
        error = await self._try(shape, rows)
        if error is None:
            return well
        if len(rows.indexes) == 1:
            self._fail(rows.indexes[0], error)
            return False
        self._take_back(shape, rows, keys)
        middle = (start + stop) // 2
        if not await self._piece(shape, group, start, middle):
            if not self._collect:
                return False
            well = False
        return await self._piece(shape, group, middle, stop) and well

    async def _try(self, shape: Shape, rows: Rows, again: Callable[[], Rows] | None = None) -> StatementError | None:
        """What is wrong with the rows; then nothing of them is there, unless the transaction is to be undone anyway."""
        # A single statement that fails a run which stops there needs no way back.
        saved = len(rows.indexes) > 1 or self._collect
        if saved:
            await self._connection.execute("SAVEPOINT batch")
        try:
            if not self._results.doomed.keys().isdisjoint(rows.indexes):
                raise Failure(DOOMED)
            await run_rows(self._connection, shape, rows, self._results, again)
        except (Failure, Entangled) as failure:
            if saved:
                await self._connection.execute("ROLLBACK TO batch; RELEASE batch")
            return failure.error if isinstance(failure, Failure) else DOOMED
        if saved:
            await self._connection.execute("RELEASE batch")
        return None

    def _take_back(self, shape: Shape, rows: Rows, keys: Sequence[Key | None]) -> None:
        """Forgets what was noted of rows that were taken back; remembers which fold into which before them.

        One that folds runs all the same, and finds what is there, unless that one failed: then it fails alike.
        """
        take_back(rows.indexes, keys, self._results)
        _, folds = fold(shape, rows)
        for at, same in folds.items():
            self._folds.setdefault(rows.indexes[at], rows.indexes[same])

    def _fail_known(self, rows: Rows) -> tuple[Rows, bool]:
        """The rows without those that have failed or are known to; False if one of these is among them."""
        results = self._results
        kept: list[int] = []
        for at, index in enumerate(rows.indexes):
            if results.status[index] == Status.FAILED:
                continue
            error = results.doomed.get(index) or results.errors.get(self._folds.get(index, index))
            if error is None:
                kept.append(at)
            else:
                self._fail(index, error)
        return (rows, True) if len(kept) == len(rows.indexes) else (rows.pick(kept), False)

    def _fail(self, index: int, error: StatementError) -> None:
        blocking.fail(self._compiled.catalog, self._plan, self._results, index, error)
        self._results.effect[index] = Effect.NONE


async def recheck(connection: "Connection", compiled: Compiled, plan: Plan, results: Results) -> None:
    """Dooms statements whose keys, known since the parse, have no row now."""
    for group, column, entity, keys in wanted_keys(compiled.catalog, plan):
        columns = compiled.live.columns[entity.table]
        gone = keys - await find_existing(connection, columns, entity, list(keys))
        if gone:
            doom(group, column, entity.name, gone, results)


async def record(
    connection: "Connection", execution: ExecutionRow, plan: Plan, results: Results, catalog: Catalog
) -> None:
    """Writes the result row of every statement."""
    symbols, types = symbols_of(catalog, plan)
    details = details_of(results)
    rows = zip(
        repeat(execution.id),
        range(plan.count),
        plan.depths,
        results.status,
        results.effect,
        key_texts(results.keys),
        symbols,
        types,
        results.micros,
        map(details.get, range(plan.count)) if details else repeat(None),
        strict=False,  # repeat() has no end
    )
    await connection.copy_records_to_table("results", schema_name="sheetgrpc", columns=_COLUMNS, records=rows)
