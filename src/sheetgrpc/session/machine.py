"""The session state machine: `decide` says what a command makes happen, `evolve` what an event makes of a session.

Both are pure. `decide` raises on an illegal command and changes nothing; what is legal stands in table.py alone.
`evolve` and `fold` are in evolution.py, labels and metadata in details.py. Nothing here knows DSL text, the database or
the wire.
"""

from collections.abc import Iterable
from functools import cache
from typing import assert_never

import msgspec

from sheetgrpc.clock import Draw
from sheetgrpc.errors import (
    Conflict,
    FieldViolation,
    InvalidRequest,
    NotAllowed,
    NotFound,
    Reason,
    SheetError,
    invalid_field,
)
from sheetgrpc.session.commands import (
    AppendSessionEvents,
    CancelExecution,
    ClearScope,
    CloseSession,
    Command,
    ConfirmIntent,
    CreateSession,
    DecideApproval,
    ExpireSession,
    FinishExecution,
    ForkSession,
    GenerateSheet,
    ImportSheet,
    LabelSession,
    ParseSheet,
    PlanSheet,
    RedoSession,
    RenewSession,
    RequestApproval,
    ResetSession,
    ResolveReference,
    SetScope,
    SetTemplate,
    SubmitSheet,
    UndoSession,
    UpdateSession,
)
from sheetgrpc.session.details import label_session, update_session
from sheetgrpc.session.events import (
    ApprovalDecided,
    ApprovalRequested,
    Event,
    ExecutionFinished,
    IntentConfirmed,
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
    SheetGenerated,
    SheetImported,
    SheetParsed,
    SheetPlanned,
    SheetSubmitted,
    TemplateSet,
)
from sheetgrpc.session.evolution import evolve, fold
from sheetgrpc.session.lines import record_lines
from sheetgrpc.session.model import Lifecycle, Session, State
from sheetgrpc.session.table import TABLE, Guard, Row

__all__ = ["TABLE", "allowed_actions", "decide", "evolve", "fold"]


def decide(
    session: Session | None, command: Command, draw: Draw, *, catalog_digest: str | None = None
) -> tuple[Event, ...]:
    """The events that the command makes happen, all at `draw.now`; none for RenewSession.

    `catalog_digest`, of the server's catalog, only makes the allowed_actions of a refusal exact; without it a parsed
    sheet is taken as parsed with that catalog. Raises NotFound without a session, NotAllowed where state or guard
    forbid the command (metadata `state`, `lifecycle`, `allowedActions`), InvalidRequest where the command is wrong in
    itself, Conflict where it was prepared for another sheet or execution than the session has.
    """
    known = command.catalog_digest if isinstance(command, SubmitSheet | PlanSheet | RequestApproval) else catalog_digest
    row = _legal_row(session, command, _digest_or_own(session, known))
    if session is None:
        return (_created(command, draw),)
    if isinstance(command, AppendSessionEvents):
        return record_lines(command.entries, draw.now)
    _check_subject(session, command)
    if isinstance(command, RenewSession | CancelExecution):
        return ()  # a sign of life; of a cancel, the execution's end is what moves the session
    return (_event(session, command, session.state if row.to is None else row.to, draw.now),)


def allowed_actions(session: Session, catalog_digest: str) -> tuple[str, ...]:
    """The names, sorted, of the RPCs that `decide` accepts now, given a request that is right in itself."""
    if session.lifecycle.terminal:
        return ()
    return _actions(session.state, tuple([guard.holds(session, catalog_digest) for guard in _guards(session.state)]))


@cache
def _guards(state: State) -> tuple[Guard, ...]:
    """The guards of the rows of this state."""
    return tuple(dict.fromkeys(guard for row in TABLE if state in row.sources for guard in row.guards))


@cache  # as many entries as there are states and outcomes of their guards: a few hundred
def _actions(state: State, held: tuple[bool, ...]) -> tuple[str, ...]:
    """The actions of the rows of this state whose guards, in the order of _guards, are among those that hold."""
    holding = {guard for guard, holds in zip(_guards(state), held, strict=True) if holds}
    rows = (row for row in TABLE if state in row.sources and holding.issuperset(row.guards))
    return tuple(sorted({action for row in rows for action in row.actions}))


def _digest_or_own(session: Session | None, catalog_digest: str | None) -> str:
    """The digest given, or else the one that the session's sheet was parsed with."""
    if catalog_digest is not None:
        return catalog_digest
    return session.sheet.catalog_digest if session is not None and session.sheet is not None else ""


def _legal_row(session: Session | None, command: Command, digest: str) -> Row:
    """The row that lets the command through; raises what `decide` raises where there is none."""
    rows = _rows(type(command))
    if session is None:
        if rows[0].sources != (None,):
            raise NotFound(Reason.SESSION_NOT_FOUND, f"{_name(command)} needs a session; call CreateSession first")
        return rows[0]
    check_alive(session)
    _check_guards(session, command, _outspoken(type(command)), digest)
    here = [row for row in rows if session.state in row.sources]
    if not here:
        raise _refusal(session, Reason.ACTION_NOT_ALLOWED, f"{_name(command)} needs {_needed_states(rows)}", digest)
    row = next((row for row in here if row.when.holds(command)), None)
    if row is None:
        raise _misfit(session, command, digest)
    _check_guards(session, command, row.guards, digest)
    return row


@cache
def _rows(command: type[Command]) -> tuple[Row, ...]:
    """The rows of a command, in the table's order."""
    return tuple(row for row in TABLE if row.command is command)


@cache
def _outspoken(command: type[Command]) -> tuple[Guard, ...]:
    """The guards with reasons of their own, which are judged before the state is."""
    guards = (guard for row in _rows(command) for guard in row.guards)
    return tuple(guard for guard in guards if guard.reason is not Reason.ACTION_NOT_ALLOWED)


def check_alive(session: Session) -> None:
    """Raises NotAllowed(SESSION_CLOSED | SESSION_EXPIRED) for a session that has ended: it takes no change."""
    if session.lifecycle.terminal:
        expired = session.lifecycle is Lifecycle.EXPIRED
        reason = Reason.SESSION_EXPIRED if expired else Reason.SESSION_CLOSED
        text = f'session "{session.id}" is {session.lifecycle} and takes no more changes; create another'
        raise NotAllowed(reason, text, metadata=_metadata(session, ""))


def _check_guards(session: Session, command: Command, guards: Iterable[Guard], digest: str) -> None:
    """Refuses with the first guard that does not hold."""
    for guard in guards:
        if not guard.holds(session, digest):
            raise _refusal(session, guard.reason, f"{_name(command)} needs {guard.needs}", digest)


def _refusal(session: Session, reason: Reason, text: str, digest: str) -> NotAllowed:
    """The refusal for a reason of state: its message opens with the state the session is in."""
    return NotAllowed(reason, f"session is {session.state}; {text}", metadata=_metadata(session, digest))


def _metadata(session: Session, digest: str) -> dict[str, str]:
    """What a client needs to go on after a refusal."""
    actions = ",".join(allowed_actions(session, digest))
    return {"state": session.state, "lifecycle": session.lifecycle, "allowedActions": actions}


def _name(command: Command) -> str:
    """The command as the wire names it."""
    return type(command).__name__


def _needed_states(rows: Iterable[Row]) -> str:
    """The sources of a command's rows as "A, B or C" or "any state but D", whichever is shorter."""
    sources = {source for row in rows for source in row.sources}
    if sources == {None}:
        return "that there is no session yet"
    wanted = [state for state in State if state in sources]
    others = [state for state in State if state not in sources]
    return _either(wanted) if len(wanted) <= len(others) else f"any state but {_either(others)}"


def _either(states: list[State]) -> str:
    """The states as "A", "A or B" or "A, B or C"."""
    return " or ".join(filter(None, (", ".join(states[:-1]), *states[-1:])))


def _misfit(session: Session, command: Command, digest: str) -> SheetError:
    """The refusal of a command that no outcome of the table fits: what is wrong is in the command, not the state."""
    match command:
        case SetScope():
            return _refusal(session, Reason.EMPTY_SCOPE, "SetScope needs a selector that matches an entity", digest)
        case SubmitSheet():
            violation = FieldViolation("confirm", "must be true to change data")
            text = "confirm: a sheet is only executed with confirm = true"
            return InvalidRequest(Reason.CONFIRMATION_REQUIRED, text, violations=(violation,))
        case ResetSession(to=to):
            return invalid_field("to", f"{to} is not a state to reset to; give SCOPED or EMPTY")
        case CloseSession(outcome=outcome):
            return invalid_field("outcome", f"{outcome} is not a way to close; give COMPLETED or FAILED")
        case FinishExecution(state=state):
            return invalid_field("state", f"an execution that is {state} has not ended")
        case _:
            return invalid_field("command", f"{_name(command)} has no outcome in the table")


def _check_subject(session: Session, command: Command) -> None:
    """Refuses what was worked out for another sheet, execution or scope than the session has now."""
    match command:
        case ParseSheet(sheet_id=sheet_id) if sheet_id != _sheet_id(session):
            text = f'sheet "{sheet_id}" is no longer the current one; parse again'
            raise Conflict(Reason.CONFLICT, text, metadata={"sheet": _sheet_id(session)})
        case FinishExecution(execution_id=execution_id) | CancelExecution(execution_id=execution_id) if (
            execution_id != session.execution_id
        ):
            text = f'execution "{execution_id}" is not the one that runs in this session'
            raise Conflict(Reason.CONFLICT, text, metadata={"execution": session.execution_id})
        case UndoSession(sequence=sequence) if sequence != session.undo[-1]:
            raise _outdated(sequence, session.undo[-1])
        case RedoSession(sequence=sequence) if sequence != session.redo[-1]:
            raise _outdated(sequence, session.redo[-1])
        case SetTemplate(target_entity_type=target) if session.scope and target != session.scope.entity_type:
            text = f'template is for "{target}", the scope holds "{session.scope.entity_type}"; set another scope first'
            raise InvalidRequest(
                Reason.INVALID_TEMPLATE, text, violations=(FieldViolation("target_entity_type", text),)
            )
        case _:
            pass


def _outdated(sequence: int, actual: int) -> Conflict:
    text = f"the layers of event {sequence} are not the ones to go to; those of {actual} are"
    return Conflict(Reason.CONFLICT, text, metadata={"sequence": str(actual)})


def _sheet_id(session: Session) -> str:
    """The current sheet's id, or ""."""
    return "" if session.sheet is None else session.sheet.id


def _created(command: Command, draw: Draw) -> SessionCreated | SessionForked:
    """The event that opens a log."""
    if isinstance(command, ForkSession):
        return SessionForked(at=draw.now, id=draw.id, **msgspec.structs.asdict(command))
    assert isinstance(command, CreateSession)  # the table has no other row without a session
    return SessionCreated(
        at=draw.now,
        id=draw.id,
        name=command.name,
        client=command.client,
        role=command.role,
        task_id=command.task_id,
        metadata=command.metadata,
        labels=command.labels,
        lease=command.lease,
        owner=command.owner,
    )


def _event(session: Session, command: Command, to: State, at: int) -> Event:
    """What the command, now known to be legal, makes happen; `to` is the state its row leads to."""
    match command:  # cases are tried in turn: first the small commands, of which that would be a part
        case LabelSession(label=label):
            return label_session(session, label, at)
        case UpdateSession():
            return update_session(session, command, at)
        case SetScope(scope=scope):
            return ScopeSet(at=at, scope=scope)
        case ClearScope():
            return ScopeCleared(at=at)
        case SetTemplate(source=source, target_entity_type=target):
            return TemplateSet(at=at, source=source, target_entity_type=target)
        case ConfirmIntent():
            return IntentConfirmed(at=at)
        case GenerateSheet(sheet=sheet):
            return SheetGenerated(at=at, sheet=sheet)
        case ImportSheet(sheet=sheet):
            return SheetImported(at=at, sheet=sheet)
        case ParseSheet():
            return _parsed(command, to, at)
        case ResolveReference():
            return _resolved(command, to, at)
        case SubmitSheet(execution_id=execution_id, mode=mode):
            return SheetSubmitted(at=at, execution_id=execution_id, sheet_id=_sheet_id(session), mode=mode)
        case PlanSheet(execution_id=execution_id):
            return SheetPlanned(at=at, execution_id=execution_id, sheet_id=_sheet_id(session))
        case RequestApproval(approval_id=approval_id, plan_digest=plan_digest):
            return ApprovalRequested(at=at, approval_id=approval_id, plan_digest=plan_digest)
        case DecideApproval(approval_id=approval_id, verdict=verdict, state=decided):
            return ApprovalDecided(at=at, approval_id=approval_id, verdict=verdict, state=decided)
        case FinishExecution():
            return _finished(command, to, at)
        case ResetSession():
            return SessionReset(at=at, to=to)
        case UndoSession(sequence=sequence, layers=layers):
            return SessionUndone(at=at, sequence=sequence, layers=layers)
        case RedoSession(sequence=sequence, layers=layers):
            return SessionRedone(at=at, sequence=sequence, layers=layers)
        case CloseSession(outcome=outcome):
            return SessionClosed(at=at, outcome=outcome)
        case ExpireSession(by=by):
            return SessionExpired(at=at, by=by)
        case CreateSession() | ForkSession() | AppendSessionEvents() | RenewSession() | CancelExecution():
            raise AssertionError("decide itself says what these make happen")
        case _:
            assert_never(command)


def _finished(command: FinishExecution, to: State, at: int) -> ExecutionFinished:
    return ExecutionFinished(
        at=at,
        execution_id=command.execution_id,
        state=command.state,
        completed=command.completed,
        total=command.total,
        to=to,
    )


def _parsed(command: ParseSheet, to: State, at: int) -> SheetParsed:
    return SheetParsed(
        at=at,
        sheet_id=command.sheet_id,
        state=to,
        statement_count=command.statement_count,
        phase_count=command.phase_count,
        syntax_error_count=command.syntax_error_count,
        error_count=command.error_count,
        warning_count=command.warning_count,
        unresolved_count=command.unresolved_count,
        catalog_digest=command.catalog_digest,
    )


def _resolved(command: ResolveReference, to: State, at: int) -> ReferenceResolved:
    return ReferenceResolved(
        at=at,
        ref_id=command.ref_id,
        entity_id=command.entity_id,
        state=to,
        unresolved_count=command.unresolved_count,
        apply_to_same_text=command.apply_to_same_text,
        phase_count=command.phase_count,
    )
