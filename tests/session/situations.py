"""Every situation a session can be in, and a command of every kind, under the short names that matrix.txt uses.

Situations are reached by commands from the start, so none is a state that the machine itself cannot make; only EXPIRED,
which no command of this table leads to, is set by hand.
"""

from collections.abc import Callable

from msgspec.structs import replace

from sheetgrpc.clock import Draw
from sheetgrpc.session.commands import (
    AppendSessionEvents,
    CancelExecution,
    ClearScope,
    CloseSession,
    Command,
    ConfirmIntent,
    CreateSession,
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
    ResetSession,
    ResolveReference,
    SetScope,
    SetTemplate,
    SubmitSheet,
    UndoSession,
    UpdateSession,
)
from sheetgrpc.session.machine import decide, evolve
from sheetgrpc.session.model import (
    Client,
    Entry,
    EntryKind,
    ExecutionState,
    Layers,
    Lifecycle,
    Mode,
    Scope,
    Session,
    Sheet,
    State,
)

CATALOG = "c" * 64
NEWER_CATALOG = "d" * 64
SHEET = Sheet(id="sheet-1", digest="5" * 64, statement_count=3)

CREATE = CreateSession(
    name="onboarding",
    client=Client("agent", "1.2", "prod"),
    role="operator",
    task_id="task-1",
    metadata={"ticket": 7, "tags": ["a", None]},
    labels=("allianz",),
)
SCOPE = SetScope(scope=Scope(id="scope-1", entity_type="cbu", entity_count=2, source="all"))
TEMPLATE = SetTemplate(source="(cbu.close :cbu-id @cbu)", target_entity_type="cbu")
CONFIRM = ConfirmIntent()
GENERATE = GenerateSheet(sheet=SHEET)
IMPORT = ImportSheet(sheet=SHEET)
WAS_SCOPED = Layers(state=State.SCOPED, scope=SCOPE.scope)
FORK = ForkSession(
    parent_id="01ARZ3NDEKTSV4RRFFQ69G5FAA",
    parent_sequence=7,
    layers=WAS_SCOPED,
    committed=("execution-0",),
    name="again",
    role="operator",
    metadata={"ticket": 7},
)


def parse(*, syntax: int = 0, errors: int = 0, unresolved: int = 0, statements: int = 3) -> ParseSheet:
    """A ParseSheet of the one sheet, with these findings."""
    return ParseSheet(
        sheet_id=SHEET.id,
        syntax_error_count=syntax,
        error_count=syntax + errors,
        warning_count=1,
        unresolved_count=unresolved,
        statement_count=statements,
        phase_count=2,
        catalog_digest=CATALOG,
    )


def submit(execution_id: str = "execution-1", *, confirm: bool = True, catalog: str = CATALOG) -> SubmitSheet:
    """A SubmitSheet to a server that has this catalog."""
    return SubmitSheet(execution_id=execution_id, confirm=confirm, catalog_digest=catalog, mode=Mode.ATOMIC)


def finish(state: ExecutionState, execution_id: str = "execution-1") -> FinishExecution:
    """The end of an execution, two of its three statements done."""
    return FinishExecution(execution_id=execution_id, state=state, completed=2, total=3)


def resolve(*, left: int) -> ResolveReference:
    """A ResolveReference after which this many are left."""
    return ResolveReference(ref_id="ref-1", entity_id="entity-1", unresolved_count=left)


def aimed(command: Command, session: Session) -> Command:
    """The command; one that undoes or redoes goes to the sequence that the session has for it, if it has any."""
    if isinstance(command, UndoSession | RedoSession):
        stack = session.undo if isinstance(command, UndoSession) else session.redo
        return replace(command, sequence=stack[-1] if stack else 0)
    return command


def draw(now: int = 1_000) -> Draw:
    """A draw at this time."""
    return Draw(now=now, id="01ARZ3NDEKTSV4RRFFQ69G5FAV", seed=1)


def run(*commands: Command, session: Session | None = None) -> Session:
    """The session after these commands, all of which must be accepted."""
    for number, command in enumerate(commands):
        asked = command if session is None else aimed(command, session)
        for event in decide(session, asked, draw(1_000 + number)):
            session = evolve(session, event)
    assert session is not None
    return session


UNDO = UndoSession(sequence=0, layers=WAS_SCOPED)
REDO = RedoSession(sequence=0, layers=WAS_SCOPED)

_READY = parse()
_FAILED = finish(ExecutionState.ROLLED_BACK)
_APPLIED = finish(ExecutionState.SUCCEEDED)
_SCOPED = (CREATE, SCOPE, TEMPLATE, CONFIRM, GENERATE)
_UNSCOPED = (CREATE, IMPORT)

SITUATIONS: dict[str, Session] = {
    "E": run(CREATE),
    "S": run(CREATE, SCOPE),
    "Tu": run(CREATE, SCOPE, TEMPLATE),
    "Tc": run(CREATE, SCOPE, TEMPLATE, CONFIRM),
    "G": run(*_SCOPED),
    "Gi": run(*_UNSCOPED),
    "P": run(*_SCOPED, parse(errors=1)),
    "Pi": run(*_UNSCOPED, parse(errors=1)),
    "R": run(*_SCOPED, parse(unresolved=2)),
    "Ri": run(*_UNSCOPED, parse(unresolved=2)),
    "Y": run(*_SCOPED, _READY),
    "Yi": run(*_UNSCOPED, _READY),
    "Yo": run(*_SCOPED, _READY),
    "X": run(*_SCOPED, _READY, submit()),
    "Xi": run(*_UNSCOPED, _READY, submit()),
    "F": run(*_SCOPED, _READY, submit(), _FAILED),
    "Fi": run(*_UNSCOPED, _READY, submit(), _FAILED),
    "D": run(*_SCOPED, _READY, submit(), _APPLIED),
    "Di": run(*_UNSCOPED, _READY, submit(), _APPLIED),
    "U": run(CREATE, SCOPE, TEMPLATE, UNDO),
    "Co": run(*_SCOPED, _READY, CloseSession(outcome=Lifecycle.COMPLETED)),
    "Fa": run(*_SCOPED, CloseSession(outcome=Lifecycle.FAILED)),
    "Ex": run(*_SCOPED, _READY, ExpireSession(by="lease")),
}


def catalog_of(situation: str) -> str:
    """The digest of the catalog that the server has: a newer one than the sheet's in "Yo"."""
    return NEWER_CATALOG if situation == "Yo" else CATALOG


# By the server's catalog; only SubmitSheet and PlanSheet look at it.
COMMANDS: dict[str, Callable[[str], Command]] = {
    "CreateSession": lambda _: CREATE,
    "SetScope": lambda _: SCOPE,
    "SetScope.empty": lambda _: SetScope(scope=replace(SCOPE.scope, entity_count=0)),
    "ClearScope": lambda _: ClearScope(),
    "SetTemplate": lambda _: TEMPLATE,
    "ConfirmIntent": lambda _: CONFIRM,
    "GenerateSheet": lambda _: GENERATE,
    "ImportSheet": lambda _: IMPORT,
    "ParseSheet.syntax": lambda _: parse(syntax=1, errors=1, unresolved=1),
    "ParseSheet.errors": lambda _: parse(errors=1, unresolved=1),
    "ParseSheet.nothing": lambda _: parse(statements=0),
    "ParseSheet.open": lambda _: parse(unresolved=2),
    "ParseSheet.ready": lambda _: parse(),
    "ResolveReference.open": lambda _: resolve(left=1),
    "ResolveReference.last": lambda _: resolve(left=0),
    "SubmitSheet": lambda catalog: submit("execution-2", catalog=catalog),
    "SubmitSheet.unconfirmed": lambda catalog: submit("execution-2", confirm=False, catalog=catalog),
    "PlanSheet": lambda catalog: PlanSheet(execution_id="execution-2", catalog_digest=catalog),
    "CancelExecution": lambda _: CancelExecution(execution_id="execution-1"),
    "FinishExecution.done": lambda _: finish(ExecutionState.SUCCEEDED),
    "FinishExecution.failed": lambda _: finish(ExecutionState.INTERRUPTED),
    "FinishExecution.stale": lambda _: replace(finish(ExecutionState.FAILED), stale=True),
    "FinishExecution.running": lambda _: finish(ExecutionState.RUNNING),
    "ResetSession.scoped": lambda _: ResetSession(to=State.SCOPED),
    "ResetSession.empty": lambda _: ResetSession(to=State.EMPTY),
    "ResetSession.ready": lambda _: ResetSession(to=State.READY),
    "UndoSession": lambda _: UNDO,
    "RedoSession": lambda _: REDO,
    "ForkSession": lambda _: FORK,
    "CloseSession.completed": lambda _: CloseSession(outcome=Lifecycle.COMPLETED),
    "CloseSession.failed": lambda _: CloseSession(outcome=Lifecycle.FAILED),
    "CloseSession.expired": lambda _: CloseSession(outcome=Lifecycle.EXPIRED),
    "ExpireSession": lambda _: ExpireSession(by="retention"),
    "RenewSession": lambda _: RenewSession(),
    "LabelSession": lambda _: LabelSession(label="payroll"),
    "UpdateSession": lambda _: UpdateSession(role="", metadata={"ticket": None}),
    "AppendSessionEvents": lambda _: AppendSessionEvents(entries=(Entry(EntryKind.WARN, "low on disk"),)),
}
