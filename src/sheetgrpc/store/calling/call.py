"""`handler.Call`: one statement as its handler sees it. Lives in the handler's thread; knows no database."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sheetgrpc.catalog.model import Entity
from sheetgrpc.handler import Cancelled, Key, Refused, Row, Value
from sheetgrpc.planning.model import Cell, Effect, Emitted, ErrorCode, StatementError
from sheetgrpc.store.batches import Failure
from sheetgrpc.store.calling.asking import MOST_CHANGED, Changed, Delete, Find, Insert, Place, Question, Update
from sheetgrpc.store.calling.values import cell_of
from sheetgrpc.trust.model import Handler

_MOST_ROWS = 1_000
_KINDS = {kind.name: kind for kind in (Effect.CREATED, Effect.UPDATED, Effect.DELETED)}
_SHOWN = 500


class Statement:
    """What is fixed of a statement before its handler runs. `doomed`: it will not run, for this reason."""

    __slots__ = ("arguments", "bound", "doomed", "entity", "handler", "index", "places", "seed", "verb")

    def __init__(
        self,
        verb: str,
        index: int,
        handler: Handler,
        arguments: Mapping[str, Any],  # values of every type that a handler may get
        places: Mapping[str, Place],
        entity: Entity | None,
        seed: Key | None,
        *,
        bound: bool,
        doomed: StatementError | None = None,
    ) -> None:
        """`seed` is the first key that the server makes for it, others follow from that; `bound`: it has an `:as`."""
        self.verb = verb
        self.index = index
        self.handler = handler
        self.arguments = arguments
        self.places = places
        self.entity = entity
        self.seed = seed
        self.bound = bound
        self.doomed = doomed


class StatementCall:
    """The call that a handler gets. What the database refuses stays as `error`, whatever the handler makes of it."""

    def __init__(
        self,
        statement: Statement,
        ask: Callable[[Question], object],
        is_over: Callable[[], bool],
        *,
        dry_run: bool,
    ) -> None:
        """`ask` raises Cancelled once the run is over, Failure for what is the statement's own fault."""
        self.verb = statement.verb
        self.index = statement.index
        self.arguments = statement.arguments
        self.dry_run = dry_run
        self.error: StatementError | None = None
        self.emitted: list[Emitted] = []
        self.asked = False  # it has asked something of the database
        self._statement = statement
        self._ask = ask
        self._is_over = is_over
        self._made = 0

    @property
    def cancelled(self) -> bool:
        """True once the run is over."""
        return self._is_over()

    def check(self) -> None:
        """Raises Cancelled once the run is over."""
        if self._is_over():
            raise Cancelled

    def find(
        self, name: str, where: Mapping[str, Value], columns: Sequence[str] | None = None, limit: int = 100
    ) -> list[Row]:
        """Rows that equal `where`."""
        place = self._place(name)
        wanted = tuple(columns) if columns is not None else place.columns
        if not wanted:
            raise ValueError('"columns" must name at least one column')
        if not 1 <= limit <= _MOST_ROWS:
            raise ValueError(f'"limit" must be from 1 to {_MOST_ROWS:,}, not {limit}')
        self._check_columns(place, wanted)
        found = self._answer(Find(place, self._cells(place, where), wanted, limit))
        assert isinstance(found, list), "finds are answered by rows"
        return found

    def insert(self, name: str, values: Mapping[str, Value]) -> Key | None:
        """Inserts a row; its key."""
        place = self._place(name, writes=True)
        cells = self._cells(place, values)
        made = place.makes_keys and place.key not in cells
        self._made += made
        if made and place.key is not None and place.server_made:
            cells = {place.key: self._next_key(), **cells}
        key = self._answer(Insert(place, cells))
        assert key is None or isinstance(key, (str, int)), "inserts are answered by a key"
        after = {column: cell for column, cell in cells.items() if column != place.key}
        self._emit(place, Effect.CREATED, key, {}, after, made=self._made if made else 0)
        return key

    def update(self, name: str, where: Mapping[str, Value], values: Mapping[str, Value]) -> int:
        """Sets columns of rows; how many."""
        place = self._place(name, writes=True)
        cells = self._cells(place, values)
        if not cells:
            raise ValueError('"values" must name at least one column')
        if place.key in cells:
            raise ValueError(f'"{place.key}" is the key of "{name}", and a key never changes')
        changed = self._changed(Update(place, self._selecting(place, where), cells))
        for row in changed:
            kind = Effect.UPDATED if row.differs else Effect.UNCHANGED
            self._emit(place, kind, row.key, row.before if row.differs else {}, cells if row.differs else {})
        return len(changed)

    def delete(self, name: str, where: Mapping[str, Value]) -> int:
        """Deletes rows; how many."""
        place = self._place(name, writes=True)
        changed = self._changed(Delete(place, self._selecting(place, where)))
        for row in changed:
            self._emit(place, Effect.DELETED, row.key, row.before, {})
        return len(changed)

    def emit(
        self, table: str, kind: str, key: Key | None = None, before: Row | None = None, after: Row | None = None
    ) -> None:
        """Says of a change elsewhere."""
        if kind not in _KINDS:
            raise ValueError(f'"kind" must be one of {", ".join(_KINDS)}, not "{kind}"')
        self.check()
        self._keep(Emitted(str(table), _KINDS[kind], "", key, dict(before or {}), dict(after or {})))

    def _place(self, name: str, *, writes: bool = False) -> Place:
        place = self._statement.places.get(name)
        if place is None or (writes and not place.reach.writes):
            does, key = ("change", "writes") if writes else ("read", "reads")
            raise LookupError(f'{self.verb} may not {does} "{name}"; let its verb in the catalog say so with "{key}"')
        return place

    def _cells(self, place: Place, values: Mapping[str, Value]) -> dict[str, Cell]:
        self._check_columns(place, values)
        return {column: cell_of(value) for column, value in values.items()}

    def _selecting(self, place: Place, where: Mapping[str, Value]) -> dict[str, Cell]:
        if not where:
            raise ValueError('"where" must name at least one column: a change of all rows is never meant')
        return self._cells(place, where)

    def _check_columns(self, place: Place, names: Mapping[str, object] | Sequence[str]) -> None:
        for name in names:
            if name not in place.columns:
                raise LookupError(f'"{place.reach.name}" has no column "{name}"')

    def _next_key(self) -> Key:
        """The server's next key for this statement: of a UUIDv7 all but the last 48 bits are the statement's."""
        seed = str(self._statement.seed)
        if self._made == 1:
            return seed
        return seed[:-12] + hashlib.sha256(f"{seed} {self._made}".encode()).hexdigest()[:12]

    def _changed(self, question: Update | Delete) -> list[Changed]:
        changed = self._answer(question)
        assert isinstance(changed, list), "changes are answered by rows"
        return changed

    def _answer(self, question: Question) -> object:
        if self.error is not None:
            raise Refused(self.error.message, self.error.detail)
        self.asked = True
        try:
            return self._ask(question)
        except Failure as failure:
            self.error = failure.error
            raise Refused(failure.error.message, failure.error.detail) from None

    def _emit(
        self,
        place: Place,
        kind: Effect,
        key: Key | None,
        before: Mapping[str, Any],  # whatever the database has there
        after: Mapping[str, Any],
        made: int = 0,
    ) -> None:
        self._keep(Emitted(place.reach.table, kind, place.reach.entity or "", key, dict(before), dict(after), made))

    def _keep(self, emitted: Emitted) -> None:
        if len(self.emitted) >= MOST_CHANGED:
            message = f"{self.verb} changes more than {MOST_CHANGED:,} rows in one statement"
            self.error = StatementError(ErrorCode.HANDLER_FAILED, message)
            raise Refused(message)
        self.emitted.append(emitted)


def refusal(refused: Refused) -> StatementError:
    """What a handler's refusal says of its statement."""
    message, detail = str(refused.message)[:_SHOWN], str(refused.detail)[:_SHOWN]
    return StatementError(ErrorCode.HANDLER_FAILED, message, detail)
