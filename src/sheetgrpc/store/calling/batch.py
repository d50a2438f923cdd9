"""From a plan's batch of calls to statements that handlers run, and from their outcomes to results; for both stores."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from sheetgrpc.catalog.database import Table
from sheetgrpc.catalog.model import Catalog, Verb, VerbKind
from sheetgrpc.planning import blocking
from sheetgrpc.planning.model import Cell, Effect, Group, Plan, Results, StatementError, Status
from sheetgrpc.planning.values import store_default
from sheetgrpc.store.batches import bind
from sheetgrpc.store.calling.asking import Place, places_of
from sheetgrpc.store.calling.call import Statement
from sheetgrpc.store.calling.job import Outcome
from sheetgrpc.store.calling.threads import Threads
from sheetgrpc.store.calling.values import reader_of
from sheetgrpc.trust.model import Handlers

PIECE = 1024  # calls a job: whoever prepares them is not held up for longer than a few milliseconds


class Calling:
    """What a store needs for the calls of one catalog."""

    def __init__(self, catalog: Catalog, handlers: Handlers, tables: Mapping[str, Table]) -> None:
        """`tables` are those of the catalog, as the database has them."""
        self.threads = Threads()
        self._catalog = catalog
        self._handlers = handlers
        calls = [verb for verb in catalog.verbs.values() if verb.kind is VerbKind.CALL]
        self._places: Mapping[str, Mapping[str, Place]] = {
            verb.name: places_of(verb, catalog, tables) for verb in calls
        }

    def statements(self, group: Group, start: int, stop: int, results: Results) -> list[Statement]:
        """Rows `start:stop` of a group, bound, without those that are skipped."""
        verb = self._catalog.verbs[group.verb]
        handler, places = self._handlers.by_verb[verb.name], self._places[verb.name]
        entity = self._catalog.entities[verb.entity] if verb.entity is not None else None
        rows = bind(group, start, stop, results)
        arguments = _arguments(verb, group, rows.columns, len(rows.indexes))
        return [
            Statement(
                verb.name,
                index,
                handler,
                values,
                places,
                entity,
                results.keys[index],
                bound=rows.bound is not None and rows.bound[at],
                doomed=results.doomed.get(index),
            )
            for at, (index, values) in enumerate(zip(rows.indexes, arguments, strict=True))
        ]

    def settle(self, plan: Plan, results: Results, outcomes: Sequence[Outcome]) -> bool:
        """Notes what became of calls; True if all went well."""
        well = True
        for outcome in outcomes:
            index = outcome.index
            results.micros[index] = outcome.micros
            if outcome.error is not None:
                well = False
                blocking.fail(self._catalog, plan, results, index, outcome.error)
                continue
            results.status[index], results.effect[index] = Status.SUCCESS, Effect.CALLED
            results.keys[index] = outcome.key
            if outcome.emitted:
                results.emitted[index] = outcome.emitted
        return well


def failed_all(statements: Sequence[Statement], error: StatementError, *, collect: bool) -> list[Outcome]:
    """The outcomes where no handler could be run; the first is enough unless others go on."""
    return [Outcome(one.index, None, error, [], 0) for one in (statements if collect else statements[:1])]


def pieces(start: int, stop: int) -> Iterator[tuple[int, int]]:
    """A batch in pieces of a job each."""
    for begin in range(start, stop, PIECE):
        yield begin, min(begin + PIECE, stop)


def _arguments(verb: Verb, group: Group, columns: Sequence[Sequence[Cell]], count: int) -> Iterator[Mapping[str, Any]]:
    """What each handler gets, by argument name."""
    given = dict(zip(group.given, columns, strict=True))
    values: list[list[Any]] = []  # of any of the types that a handler may get
    for argument in verb.arguments:
        read: Callable[[Cell], Any] = reader_of(argument)
        cells = given.get(argument.name)
        values.append(
            [read(cell) for cell in cells] if cells is not None else [read(store_default(argument.default))] * count
        )
    names = [argument.name for argument in verb.arguments]
    return (dict(zip(names, row, strict=True)) for row in (zip(*values, strict=True) if names else [()] * count))
