"""Random walks: whatever commands come, the properties that clients and the store rely on hold."""

from collections.abc import Sequence

from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.session.situations import CATALOG, COMMANDS, CREATE, NEWER_CATALOG, SHEET, aimed, draw

from sheetgrpc.errors import NotAllowed, SheetError
from sheetgrpc.session.commands import (
    CancelExecution,
    Command,
    FinishExecution,
    GenerateSheet,
    ImportSheet,
    ParseSheet,
    PlanSheet,
    RedoSession,
    SubmitSheet,
    UndoSession,
)
from sheetgrpc.session.events import Event, ExecutionFinished, decode, encode
from sheetgrpc.session.layers import layers_of
from sheetgrpc.session.machine import allowed_actions, decide, evolve, fold
from sheetgrpc.session.model import Session, State

# A command that is wrong in itself says nothing about allowed_actions.
FLAWED = [
    "SetScope.empty",
    "SubmitSheet.unconfirmed",
    "FinishExecution.running",
    "ResetSession.ready",
    "CloseSession.expired",
]
# What brings a session on towards an applied sheet: blind choice alone hardly ever gets there.
ONWARD = {
    State.EMPTY: "SetScope",
    State.SCOPED: "SetTemplate",
    State.TEMPLATED: "GenerateSheet",
    State.GENERATED: "ParseSheet.ready",
    State.PARSED: "ParseSheet.open",
    State.RESOLVING: "ResolveReference.last",
    State.READY: "SubmitSheet",
    State.EXECUTING: "FinishExecution.done",
    State.EXECUTED: "ImportSheet",
}
NAMES = st.one_of(st.just("onward"), st.just("onward"), st.just("onward"), st.sampled_from(list(COMMANDS)))
STEPS = st.lists(st.tuples(NAMES, st.sampled_from([CATALOG, CATALOG, CATALOG, NEWER_CATALOG])), max_size=40)


def onward(session: Session) -> str:
    unconfirmed = session.state is State.TEMPLATED and session.template and not session.template.confirmed
    return "ConfirmIntent" if unconfirmed else ONWARD[session.state]


def fitted(command: Command, session: Session, number: int, log: Sequence[Event]) -> Command:
    """The command with ids and layers that fit the session, as the engine would give them."""
    match command:
        case UndoSession() | RedoSession():
            to = aimed(command, session)
            sequence = to.sequence if isinstance(to, UndoSession | RedoSession) else 0
            return replace(to, layers=layers_of(fold(log[:sequence]))) if sequence else to
        case ParseSheet():
            return replace(command, sheet_id=session.sheet.id if session.sheet else "")
        case FinishExecution() | CancelExecution():
            return replace(command, execution_id=session.execution_id)
        case SubmitSheet() | PlanSheet():
            return replace(command, execution_id=f"execution-{number}")
        case GenerateSheet() | ImportSheet():
            return replace(command, sheet=replace(SHEET, id=f"sheet-{number}"))
        case _:
            return command


def check_shape(session: Session) -> None:
    sheet = session.sheet
    assert (session.state is State.EXECUTING) == (session.execution_id != "")
    assert (session.state in (State.EMPTY, State.SCOPED, State.TEMPLATED)) == (sheet is None)
    if session.state in (State.SCOPED, State.TEMPLATED):
        assert session.scope is not None
    if session.state is State.TEMPLATED:
        assert session.template is not None
    if sheet and sheet.spent:
        assert session.state is State.EXECUTED
    if sheet and session.state in (State.READY, State.EXECUTING):
        assert (sheet.statement_count > 0, sheet.error_count, sheet.unresolved_count) == (True, 0, 0)
    if session.state is State.RESOLVING:
        assert sheet is not None
        assert sheet.unresolved_count > 0


@settings(deadline=None)
@given(STEPS)
@example([*[("onward", CATALOG)] * 6, ("CancelExecution", CATALOG)])
@example([*[("onward", CATALOG)] * 8, ("UndoSession", CATALOG)])
def test_any_walk_keeps_the_promises(steps: list[tuple[str, str]]) -> None:
    log: list[Event] = list(decide(None, CREATE, draw()))
    session = fold(log)
    spent: list[str] = []
    for number, (step, catalog) in enumerate(steps):
        name = onward(session) if step == "onward" else step
        before = repr(session)
        outcome = attempt(session, fitted(COMMANDS[name](catalog), session, number, log), number, catalog)
        assert repr(session) == before
        check_against_allowed_actions(session, name, catalog, outcome)
        if isinstance(outcome, SheetError):
            continue
        for event in outcome:
            session = evolve(session, decode(encode(event)))
        log += outcome
        # An undo may bring an applied sheet back: only runs apply.
        if is_spent(session) and any(isinstance(event, ExecutionFinished) for event in outcome):
            assert session.sheet is not None
            spent.append(session.sheet.id)
        check_shape(session)
    assert session.version == len(log)
    assert fold(log) == session
    assert len(spent) == len(set(spent)), "a sheet was applied twice"


def attempt(session: Session, command: Command, number: int, catalog: str) -> tuple[Event, ...] | SheetError:
    try:
        return decide(session, command, draw(2_000 + number), catalog_digest=catalog)
    except SheetError as error:
        return error


def check_against_allowed_actions(
    session: Session, name: str, catalog: str, outcome: tuple[Event, ...] | SheetError
) -> None:
    allowed = allowed_actions(session, catalog)
    rpc = name.split(".", maxsplit=1)[0]
    if not isinstance(outcome, SheetError):
        assert rpc in allowed or rpc in ("FinishExecution", "ExpireSession", "DecideApproval"), (
            f"{name} was accepted but is not listed"
        )
    elif rpc in allowed:
        # ResetSession is listed for EMPTY; SCOPED needs a scope as well.
        assert name in FLAWED or (name == "ResetSession.scoped" and session.scope is None), f"{name}: {outcome}"
    if isinstance(outcome, NotAllowed):
        assert outcome.metadata["allowedActions"] == ",".join(allowed)


def is_spent(session: Session) -> bool:
    return session.sheet is not None and session.sheet.spent
