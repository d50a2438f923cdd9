"""UndoSession and RedoSession: the layers of an earlier event, found in the log, and what is true of them now.

An undone sheet whose tables have changed meanwhile is not what it was: where the layers say what an analysis found, the
sheet is analysed again, with exactly what was chosen by hand then.
"""

from collections.abc import Mapping, Sequence

import msgspec

from sheetgrpc.clock import Draw
from sheetgrpc.engine.aside import decode
from sheetgrpc.engine.choices import analyse_chosen, read_choices
from sheetgrpc.engine.context import Context
from sheetgrpc.engine.names import Names
from sheetgrpc.engine.sheet_steps import parse_command
from sheetgrpc.engine.sheets import count_analysis
from sheetgrpc.engine.steps import _NO_DRAW, Simple
from sheetgrpc.errors import NotAllowed, Reason
from sheetgrpc.planning.model import Analysis, Key
from sheetgrpc.session import commands
from sheetgrpc.session.layers import analysed, is_parsed, layers_of, unparsed
from sheetgrpc.session.machine import evolve
from sheetgrpc.session.model import Choice, Layers, Session, State
from sheetgrpc.store.base import Store
from sheetgrpc.store.records import Changes, ReferenceRow, SessionRow, SheetRow

_PAGE = 500  # events a read


class Restored(msgspec.Struct, frozen=True):
    """Layers as they are now, with the analysis that says so, if one does."""

    layers: Layers
    analysis: Analysis | None = None
    references: Sequence[ReferenceRow] = ()

    def write(self, changes: Changes) -> None:
        """What the analysis found takes the place of what an earlier one did; without one, nothing does."""
        sheet = self.layers.sheet
        if sheet is not None and self.analysis is not None:
            changes.analysis = count_analysis(sheet.id, self.analysis)
            changes.diagnostics = self.analysis.diagnostics
            changes.references = self.references

    def keep(self, context: Context) -> None:
        """What is kept of the sheet is this, or nothing."""
        sheet = self.layers.sheet
        if sheet is not None and self.analysis is not None:
            context.analyst.keep(sheet.id, self.analysis)
        elif sheet is not None:
            context.analyst.forget(sheet.id)


class UndoSession(Simple):
    """Goes back to the layers before the last step."""

    def __init__(self, context: Context) -> None:
        super().__init__(context, self._ask(0, Layers()))
        self._restored = Restored(Layers())

    async def prepare(self, row: SessionRow | None) -> None:
        """Finds the layers and looks at their sheet again."""
        if row is None:
            return
        session = row.session
        sequence = next(reversed(self._stack(session)), 0)
        self.refuse_early(session, self._ask(sequence, Layers()))
        then = await session_at(self.context.store, session, sequence)
        if then is None:
            message = f"the events up to {sequence} are not kept any more: nothing before them can be restored"
            raise NotAllowed(Reason.ACTION_NOT_ALLOWED, message)
        layers = layers_of(then)
        if layers.sheet is not None:
            sheet = await self.context.store.sheet(layers.sheet.id)
            known = await known_keys(self.context, session, sheet, layers)
            self._restored = await restore(self.context, layers, sheet, known, session.committed)
        else:
            self._restored = Restored(layers)
        self._command = self._ask(sequence, self._restored.layers)
        self.refuse_early(session, self.command(_NO_DRAW))

    def changes(self, session: Session, draw: Draw, changes: Changes) -> None:  # noqa: ARG002  # the step's form
        """What is known of the sheet; of one that is not parsed, nothing."""
        self._restored.write(changes)
        if session.sheet is not None and session.state is State.GENERATED and not session.sheet.catalog_digest:
            changes.unparsed = session.sheet.id

    def woken(self, changes: Changes) -> None:  # noqa: ARG002  # the step's form
        """The plan is kept for the submit."""
        self._restored.keep(self.context)

    def _stack(self, session: Session) -> tuple[int, ...]:
        return session.undo

    def _ask(self, sequence: int, layers: Layers) -> commands.Command:
        return commands.UndoSession(sequence=sequence, layers=layers)


class RedoSession(UndoSession):
    """Goes back to the layers before the last undo."""

    def _stack(self, session: Session) -> tuple[int, ...]:
        return session.redo

    def _ask(self, sequence: int, layers: Layers) -> commands.Command:
        return commands.RedoSession(sequence=sequence, layers=layers)


async def session_at(store: Store, session: Session, sequence: int) -> Session | None:
    """The session as it was after this event of its log; None where the log does not go back so far any more."""
    if sequence == session.version:
        return session
    then = await store.base(session.id)
    after = then.version if then is not None else 0
    while after < sequence:
        rows = await store.events(session.id, after, min(_PAGE, sequence - after))
        if not rows or rows[0].sequence != after + 1:
            return None
        for row in rows:
            then = evolve(then, row.event)
        after = rows[-1].sequence
    return then if after == sequence else None


async def known_keys(context: Context, session: Session, sheet: SheetRow, layers: Layers) -> Mapping[str, Key]:
    """The keys of the sheet's references that nobody chose by hand: what a name was bound to, it stays bound to."""
    if not is_parsed(layers):
        return {}
    known = await context.resolutions(sheet.id)
    current = session.sheet if session.sheet is not None and session.sheet.id == sheet.id else layers.sheet
    by_hand: Sequence[Choice] = current.choices if current is not None else ()
    if known and by_hand:
        analysis = await context.analyse(sheet, session)
        chosen = read_choices(context.catalog, analysis.references, by_hand)
        known = {ref_id: key for ref_id, key in known.items() if ref_id not in chosen}
    return known


async def restore(
    context: Context, layers: Layers, sheet: SheetRow, known: Mapping[str, Key], committed: Sequence[str]
) -> Restored:
    """The layers as they are now: analysed again where they are parsed, unparsed where the catalog is another.

    `sheet` has the source, `known` keys of its references; `committed` are executions whose symbols it may use.
    """
    if not is_parsed(layers) or layers.sheet is None:
        return Restored(layers)
    if layers.sheet.catalog_digest != context.catalog.digest:
        return Restored(unparsed(layers, sheet.statement_count))
    source = await decode(sheet.source)
    analysis = await analyse_chosen(context, source, committed, known, layers.sheet.choices)
    references = await Names(context).rank(analysis.references)
    return Restored(analysed(layers, parse_command(layers.sheet.id, analysis)), analysis, references)
