"""What an event makes of a session: the left fold that every session is.

Total over all that any version ever wrote: nothing here asks whether an event was legal and nothing reads the table,
because what has happened has happened, under the rules of its day.
"""

from collections.abc import Iterable
from typing import assert_never

from msgspec.structs import replace

from sheetgrpc.session.commands import ParseSheet
from sheetgrpc.session.events import (
    LAYERED,
    AlertLine,
    ApprovalDecided,
    ApprovalRequested,
    CommandLine,
    Event,
    ExecutionFinished,
    IntentConfirmed,
    LabelGiven,
    LabelLost,
    PromptLine,
    ReferenceResolved,
    ScopeCleared,
    ScopeSet,
    SessionClosed,
    SessionCreated,
    SessionExpired,
    SessionForked,
    SessionRedone,
    SessionReset,
    SessionUndone,
    SessionUpdated,
    SheetGenerated,
    SheetImported,
    SheetParsed,
    SheetPlanned,
    SheetSubmitted,
    SystemLine,
    TaskCreated,
    TaskUpdated,
    TemplateSet,
    WarnLine,
)
from sheetgrpc.session.model import (
    MAX_UNDO,
    Choice,
    ExecutionState,
    Layers,
    Lifecycle,
    Scope,
    Session,
    Sheet,
    State,
    Template,
)

_OF_OTHERS = (LabelLost, SessionExpired, TaskCreated, TaskUpdated)


def evolve(session: Session | None, event: Event) -> Session:
    """The session after the event, one version later; ValueError only for a log that opens with another event."""
    if isinstance(event, SessionCreated | SessionForked):
        return _created(event, 1 if session is None else session.version + 1)
    if session is None:
        raise ValueError(f"no session's log begins with {type(event).__name__}")
    # A label is lost by what another session does, a lease by nobody's doing, and a task is somebody else's.
    wakes = session.lifecycle is Lifecycle.PENDING and not isinstance(event, _OF_OTHERS)
    active = Lifecycle.ACTIVE if wakes else session.lifecycle
    after = replace(session, version=session.version + 1, updated_at=event.at, lifecycle=active)
    if isinstance(event, LAYERED):
        after = replace(after, undo=_pushed(session.undo, session.version), redo=())
    return _applied(after, event)


def fold(events: Iterable[Event], base: Session | None = None) -> Session:
    """The session that a log amounts to; `base` is what the events before it did, where the log was trimmed.

    ValueError if there is neither, or a whole log opens with another event than SessionCreated.
    """
    session = base
    for event in events:
        session = evolve(session, event)
    if session is None:
        raise ValueError("a session's log has at least one event")
    return session


def count_sheet(sheet: Sheet, found: SheetParsed | ParseSheet) -> Sheet:
    """The sheet with what an analysis of it found."""
    return replace(
        sheet,
        statement_count=found.statement_count,
        phase_count=found.phase_count,
        error_count=found.error_count,
        warning_count=found.warning_count,
        unresolved_count=found.unresolved_count,
        catalog_digest=found.catalog_digest,
    )


def _pushed(stack: tuple[int, ...], sequence: int) -> tuple[int, ...]:
    return (*stack, sequence)[-MAX_UNDO:]


def _popped(stack: tuple[int, ...], sequence: int) -> tuple[int, ...]:
    """The stack without what is on top of it: stacks rise."""
    return tuple(one for one in stack if one < sequence)


def _created(event: SessionCreated | SessionForked, version: int) -> Session:
    session = Session(
        id=event.id,
        version=version,
        name=event.name,
        client=event.client,
        role=event.role,
        task_id=event.task_id,
        metadata=event.metadata,
        created_at=event.at,
        updated_at=event.at,
        owner=event.owner,
    )
    if isinstance(event, SessionCreated):
        return replace(session, labels=event.labels, lease=event.lease)
    return _restored(replace(session, parent_id=event.parent_id, committed=event.committed), event.layers)


def _applied(session: Session, event: Event) -> Session:
    """The session, its version and time already those of the event, with what the event says in it."""
    match event:  # cases are tried in turn: first the small events, of which that would be a part
        case LabelGiven(label=label):
            return replace(session, labels=(*_without(session.labels, label), label))
        case LabelLost(label=label):
            return replace(session, labels=_without(session.labels, label))
        case SessionUpdated():
            return _updated(session, event)
        case ScopeSet(scope=scope):
            return _layered(session, State.SCOPED, scope=scope)
        case ScopeCleared():
            return _layered(session, State.EMPTY)
        case TemplateSet(source=source, target_entity_type=target):
            return _layered(session, State.TEMPLATED, scope=session.scope, template=Template(source, target))
        case IntentConfirmed():
            return replace(session, template=session.template and replace(session.template, confirmed=True))
        case SheetGenerated(sheet=sheet):
            return _layered(session, State.GENERATED, scope=session.scope, template=session.template, sheet=sheet)
        case SheetImported(sheet=sheet):
            return _layered(session, State.GENERATED, scope=session.scope, sheet=sheet)
        case SheetParsed():
            return replace(session, state=event.state, sheet=session.sheet and count_sheet(session.sheet, event))
        case ReferenceResolved():
            return replace(session, state=event.state, sheet=_resolved(session.sheet, event))
        case SheetSubmitted(execution_id=execution_id):
            return replace(session, state=State.EXECUTING, execution_id=execution_id)
        case ExecutionFinished():
            return _finished(session, event)
        case SessionReset(to=to):
            return _reset(session, to)
        case SessionUndone(sequence=sequence, layers=layers):
            undo, redo = _popped(session.undo, sequence), _pushed(session.redo, session.version - 1)
            return replace(_restored(session, layers), undo=undo, redo=redo)
        case SessionRedone(sequence=sequence, layers=layers):
            undo, redo = _pushed(session.undo, session.version - 1), _popped(session.redo, sequence)
            return replace(_restored(session, layers), undo=undo, redo=redo)
        case SessionClosed(outcome=outcome, at=at):
            return replace(session, lifecycle=outcome, ended_at=at)
        case SessionExpired(at=at):
            return replace(session, lifecycle=Lifecycle.EXPIRED, ended_at=at)
        case SheetPlanned() | ApprovalRequested() | ApprovalDecided():
            return session  # it stays as it is: dry runs and approvals have lists of their own
        case PromptLine() | SystemLine() | CommandLine() | WarnLine() | AlertLine() | TaskCreated() | TaskUpdated():
            return session  # what a terminal showed is in the log and nowhere else, and a task has a row of its own
        case SessionCreated() | SessionForked():
            raise AssertionError("evolve opens the log itself")
        case _:
            assert_never(event)


def _without(labels: tuple[str, ...], lost: str) -> tuple[str, ...]:
    return tuple(label for label in labels if label != lost)


def _updated(session: Session, event: SessionUpdated) -> Session:
    return replace(
        session,
        name=session.name if event.name is None else event.name,
        role=session.role if event.role is None else event.role,
        task_id=session.task_id if event.task_id is None else event.task_id,
        metadata=session.metadata if event.metadata is None else event.metadata,
    )


def _restored(session: Session, layers: Layers) -> Session:
    """The session with these layers and no other."""
    return replace(
        session,
        state=layers.state,
        scope=layers.scope,
        template=layers.template,
        sheet=layers.sheet,
        execution_id="",
        last_execution_id=layers.last_execution_id,
        last_execution_succeeded=layers.last_execution_succeeded,
        progress_completed=layers.progress_completed,
        progress_total=layers.progress_total,
    )


def _layered(
    session: Session,
    state: State,
    *,
    scope: Scope | None = None,
    template: Template | None = None,
    sheet: Sheet | None = None,
) -> Session:
    """The session with exactly these layers: what stood above the lowest that changed, the execution too, is gone."""
    return _restored(session, Layers(state, scope, template, sheet))


def _resolved(sheet: Sheet | None, event: ReferenceResolved) -> Sheet | None:
    if sheet is None:
        return None
    phases = sheet.phase_count if event.phase_count is None else event.phase_count
    choice = Choice(event.ref_id, event.entity_id, event.apply_to_same_text)
    return replace(
        sheet,
        unresolved_count=event.unresolved_count,
        phase_count=phases,
        choices=(*(one for one in sheet.choices if not _covers(choice, one)), choice),
    )


def _covers(later: Choice, earlier: Choice) -> bool:
    """True if nothing of an earlier choice is left once the later one is made."""
    return later.ref_id == earlier.ref_id and (later.same_text or not earlier.same_text)


def _finished(session: Session, event: ExecutionFinished) -> Session:
    """EXECUTED; what committed anything spends the sheet and leaves its symbols to later ones.

    READY again where the plan did not hold: then the submit is nothing that could be undone.
    """
    ended = replace(
        session,
        state=event.to,
        undo=session.undo if event.to is State.EXECUTED else session.undo[:-1],
        execution_id="",
        last_execution_id=event.execution_id,
        last_execution_succeeded=event.state is ExecutionState.SUCCEEDED,
        progress_completed=event.completed,
        progress_total=event.total,
    )
    if not event.state.committed:
        return ended
    return replace(
        ended,
        committed=(*session.committed, event.execution_id),
        undo=(),
        redo=(),
        sheet=session.sheet and replace(session.sheet, spent=True),
    )


def _reset(session: Session, to: State) -> Session:
    """SCOPED keeps the scope and the committed symbols, EMPTY neither."""
    if to is State.EMPTY:
        return replace(_layered(session, to), committed=())
    return _layered(session, to, scope=session.scope)
