"""The layers of a session as one value: taken from it, made ready for a fork, brought up to what is true now.

Pure. Which layers are restored is the log's business (the fold up to a sequence), what catalog and tables make of them
the engine's; here is only what follows.
"""

from msgspec.structs import replace

from sheetgrpc.session.commands import ParseSheet
from sheetgrpc.session.evolution import count_sheet
from sheetgrpc.session.model import Layers, Session, Sheet, State
from sheetgrpc.session.table import TABLE


def layers_of(session: Session) -> Layers:
    """What could be undone. An execution under way is none of it: READY, as before the submit."""
    return Layers(
        state=State.READY if session.state is State.EXECUTING else session.state,
        scope=session.scope,
        template=session.template,
        sheet=session.sheet,
        last_execution_id=session.last_execution_id,
        last_execution_succeeded=session.last_execution_succeeded,
        progress_completed=session.progress_completed,
        progress_total=session.progress_total,
    )


def forked(layers: Layers) -> Layers:
    """The layers without their execution: one that committed nothing leaves a sheet that is READY."""
    spent = layers.sheet is not None and layers.sheet.spent
    state = State.READY if layers.state is State.EXECUTED and not spent else layers.state
    return Layers(state, layers.scope, layers.template, layers.sheet)


def is_parsed(layers: Layers) -> bool:
    """True where the layers say what an analysis of their sheet found, which may have become another since.

    An applied sheet is not asked again, nor one whose execution has just ended.
    """
    return layers.state is not State.EXECUTED and layers.sheet is not None and layers.sheet.catalog_digest != ""


def analysed(layers: Layers, found: ParseSheet) -> Layers:
    """The layers with what an analysis of their sheet finds now, in the state that ParseSheet would lead to."""
    state = next(row.to for row in TABLE if row.command is ParseSheet and row.when.holds(found))
    return replace(layers, state=state or layers.state, sheet=layers.sheet and count_sheet(layers.sheet, found))


def unparsed(layers: Layers, statement_count: int) -> Layers:
    """The layers with their sheet as before ParseSheet, what was chosen by hand kept for the next one."""
    sheet = layers.sheet and Sheet(
        id=layers.sheet.id,
        digest=layers.sheet.digest,
        statement_count=statement_count,
        choices=layers.sheet.choices,
    )
    return replace(layers, state=State.GENERATED, sheet=sheet)
