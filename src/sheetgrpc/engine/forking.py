"""ForkSession: a session of its own that begins with what another had, now or at an earlier event.

Scope and sheet are copied under new ids, since a purge of the parent takes its own along. The parent is read and stays
as it is, whether it lives or has ended.
"""

from collections.abc import Sequence

import msgspec

from sheetgrpc.clock import Draw
from sheetgrpc.dsl.diagnostics import Diagnostic
from sheetgrpc.engine import intents
from sheetgrpc.engine.context import Context
from sheetgrpc.engine.steps import Simple
from sheetgrpc.engine.undoing import Restored, known_keys, restore, session_at
from sheetgrpc.errors import NotFound, Reason, invalid_field
from sheetgrpc.session import commands
from sheetgrpc.session.layers import forked, layers_of
from sheetgrpc.session.model import Client, Layers, Session
from sheetgrpc.store.records import (
    AnalysisRow,
    Changes,
    ReferenceRow,
    ScopeRow,
    SessionRow,
    SheetRow,
    SymbolChange,
    SymbolRow,
)

_PAGE = 1000  # rows a read
_SHOWN_SYMBOLS = 100


class ForkSession(Simple):
    """Makes a session of another's layers."""

    fresh = True

    def __init__(self, context: Context, intent: intents.ForkSession, owner: str) -> None:
        super().__init__(context, commands.CreateSession())
        self._intent = intent
        self._owner = owner
        self._scope: ScopeRow | None = None
        self._sheet: SheetRow | None = None
        self._restored = Restored(Layers())
        self._copied = Changes(session=Session(id=""), events=())  # what was found of a sheet that is spent
        self._symbols = SymbolChange(0, ())

    async def prepare(self, row: SessionRow | None) -> None:
        """Copies the layers, and looks at the copy of their sheet again."""
        if row is None:
            raise NotFound(Reason.SESSION_NOT_FOUND, "ForkSession needs a session to fork; name one")
        parent = row.session
        then = await self._parent_then(parent)
        await self._copy_layers(parent, then)
        if then.committed == parent.committed:
            self._symbols = SymbolChange(row.symbol_count, row.symbols)
        else:
            self._symbols = await self._count_symbols(then.committed)
        self._command = commands.ForkSession(
            parent_id=parent.id,
            parent_sequence=then.version,
            layers=self._restored.layers,
            committed=then.committed,
            name=self._intent.name or parent.name,
            client=Client(name=parent.client.name),  # who forks may be of another version, and work for another target
            role=parent.role,
            task_id=parent.task_id,
            metadata=parent.metadata,
            owner=self._owner,
        )

    def changes(self, session: Session, draw: Draw, changes: Changes) -> None:
        """The copies, as the new session's."""
        if self._scope is not None:
            changes.scope = msgspec.structs.replace(self._scope, session_id=session.id)
        if self._sheet is not None:
            changes.sheet = msgspec.structs.replace(self._sheet, session_id=session.id, created_at=draw.now)
        changes.analysis = self._copied.analysis
        changes.diagnostics = self._copied.diagnostics
        changes.references = self._copied.references
        self._restored.write(changes)
        changes.symbols = self._symbols

    def woken(self, changes: Changes) -> None:  # noqa: ARG002  # the step's form
        """The plan is kept for the submit."""
        self._restored.keep(self.context)

    async def _parent_then(self, parent: Session) -> Session:
        at = self._intent.at_sequence
        if not 0 <= at <= parent.version:
            raise invalid_field("at_sequence", f"{at} is no event of the session, whose last is {parent.version}")
        then = await session_at(self.context.store, parent, at or parent.version)
        if then is None:
            raise invalid_field("at_sequence", f"the events up to {at} are not kept any more; give a later one, or 0")
        return then

    async def _copy_layers(self, parent: Session, then: Session) -> None:
        """The layers with copies for scope and sheet."""
        layers = forked(layers_of(then))
        if layers.scope is not None:
            scope = await self._read_scope(layers.scope.id)
            self._scope = msgspec.structs.replace(scope, id=self.context.draws.draw().id)
            layers = msgspec.structs.replace(layers, scope=msgspec.structs.replace(layers.scope, id=self._scope.id))
        if layers.sheet is None:
            self._restored = Restored(layers)
            return
        sheet = await self.context.store.sheet(layers.sheet.id)
        current = parent.sheet is not None and parent.sheet.id == sheet.id  # else the store knows of other choices
        known = await known_keys(self.context, parent, sheet, layers) if current else {}
        scope_id = self._scope.id if self._scope is not None and sheet.scope_id else ""
        self._sheet = msgspec.structs.replace(sheet, id=self.context.draws.draw().id, scope_id=scope_id)
        copy = msgspec.structs.replace(layers.sheet, id=self._sheet.id)
        layers = msgspec.structs.replace(layers, sheet=copy)
        self._restored = await restore(self.context, layers, self._sheet, known, then.committed)
        if copy.spent:
            await self._copy_findings(sheet.id, copy.id)

    async def _read_scope(self, scope_id: str) -> ScopeRow:
        try:
            return await self.context.store.scope(scope_id)
        except LookupError:  # purged since it was read
            raise NotFound(Reason.SESSION_NOT_FOUND, "the session to fork has been purged") from None

    async def _copy_findings(self, sheet_id: str, copy_id: str) -> None:
        """What is known of an applied sheet, as it was when it was applied."""
        store = self.context.store
        counts: AnalysisRow | None = await store.analysis(sheet_id)
        if counts is None:
            return
        diagnostics: list[Diagnostic] = []
        while page := await store.diagnostics(sheet_id, len(diagnostics), _PAGE):
            diagnostics += page
        references: list[ReferenceRow] = []
        last = -1
        while rows := await store.references(sheet_id, last, _PAGE, unresolved_only=False):
            references += [reference for _, reference in rows]
            last = rows[-1][0]
        self._copied.analysis = msgspec.structs.replace(counts, sheet_id=copy_id)
        self._copied.diagnostics, self._copied.references = diagnostics, references

    async def _count_symbols(self, committed: Sequence[str]) -> SymbolChange:
        """The symbols of these executions: how many, and the first."""
        first: tuple[SymbolRow, ...] = ()
        count, after = 0, ""
        while committed and (page := await self.context.store.symbols(committed, None, after, _PAGE)):
            first = first or tuple(page[:_SHOWN_SYMBOLS])
            count, after = count + len(page), page[-1].name
        return SymbolChange(count, first)
