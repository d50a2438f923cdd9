"""The session's transition table: DESIGN section 3 as data, and nothing else.

`decide`, `allowed_actions`, docs/states.md and the exhaustive test all read TABLE. A row says: from these states, if
its guards hold of the session, a command of which `when` is true leads to `to`. Of the rows of one command and state
the first whose `when` is true counts. A new command is a new row (and a case in machine.py); nothing here raises.
"""

from collections.abc import Callable
from dataclasses import dataclass

from sheetgrpc.errors import Reason
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
from sheetgrpc.session.model import Lifecycle, Session, State


@dataclass(frozen=True, slots=True)
class Guard:
    """A condition on the session; `holds(session, digest of the server's catalog)`.

    `needs` ends the sentence "session is READY; SubmitSheet needs ...". A guard with a reason of its own is judged
    before the state is: an applied sheet is refused as applied wherever the session stands.
    """

    name: str
    holds: Callable[[Session, str], bool]
    needs: str
    reason: Reason = Reason.ACTION_NOT_ALLOWED


@dataclass(frozen=True, slots=True)
class When:
    """A condition on the command: which of its outcomes this is."""

    name: str
    holds: Callable[[Command], bool]


ALWAYS = When("", lambda _: True)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table.

    A source of None is "no session yet"; `to` of None leaves the state as it is, unless `leads` says where the command
    itself tells; `actions` are the RPCs on a session that send the command, none where only the server itself does;
    `ends` tells that the session's lifecycle ends.
    """

    command: type[Command]
    sources: tuple[State | None, ...]
    to: State | None
    when: When = ALWAYS
    guards: tuple[Guard, ...] = ()
    actions: tuple[str, ...] = ()
    ends: bool = False
    leads: str = ""


SCOPE_SET = Guard("scope set", lambda s, _: s.scope is not None, "a scope: call SetScope")
UNCONFIRMED = Guard(
    "not yet confirmed", lambda s, _: s.template is not None and not s.template.confirmed, "an unconfirmed template"
)
CONFIRMED = Guard(
    "template confirmed",
    lambda s, _: s.template is not None and s.template.confirmed,
    "a confirmed template: call ConfirmIntent",
)
NOT_SPENT = Guard(
    "sheet not spent",
    lambda s, _: s.sheet is None or not s.sheet.spent,
    "a sheet that is not applied yet: import or generate another",
    Reason.SHEET_ALREADY_APPLIED,
)
SAME_CATALOG = Guard(
    "catalog unchanged since the parse",
    lambda s, digest: s.sheet is not None and s.sheet.catalog_digest == digest,
    "a sheet parsed with the current catalog: call ParseSheet again",
)
UNDOABLE = Guard("something to undo", lambda s, _: bool(s.undo), "a step that can be undone")
REDOABLE = Guard("something to redo", lambda s, _: bool(s.redo), "an UndoSession just before it")

_SOME = When("at least one entity", lambda c: isinstance(c, SetScope) and c.scope.entity_count > 0)
_SYNTAX = When("syntax errors", lambda c: isinstance(c, ParseSheet) and c.syntax_error_count > 0)
# An empty sheet is an error of its own; counted here too, so that nothing can ever run zero statements and succeed.
_ERRORS = When("other errors", lambda c: isinstance(c, ParseSheet) and (c.error_count > 0 or c.statement_count == 0))
_OPEN = When("references open", lambda c: isinstance(c, ParseSheet | ResolveReference) and c.unresolved_count > 0)
_NONE_OPEN = When("nothing open", lambda c: isinstance(c, ParseSheet | ResolveReference))
_CONFIRM = When("confirm = true", lambda c: isinstance(c, SubmitSheet) and c.confirm)
_ENDED = When("the run has ended", lambda c: isinstance(c, FinishExecution) and c.state.terminal and not c.stale)
_STALE = When("its plan is stale", lambda c: isinstance(c, FinishExecution) and c.stale and c.state.terminal)
_TO_SCOPED = When("to = SCOPED", lambda c: isinstance(c, ResetSession) and c.to is State.SCOPED)
_TO_EMPTY = When("to = EMPTY", lambda c: isinstance(c, ResetSession) and c.to is State.EMPTY)
_OUTCOME = When(
    "outcome COMPLETED or FAILED",
    lambda c: isinstance(c, CloseSession) and c.outcome in (Lifecycle.COMPLETED, Lifecycle.FAILED),
)

EMPTY, SCOPED, TEMPLATED, GENERATED, PARSED, RESOLVING, READY, EXECUTING, EXECUTED = State

ANY = tuple(State)
IDLE = (EMPTY, SCOPED, TEMPLATED, GENERATED, PARSED, RESOLVING, READY, EXECUTED)  # any but EXECUTING
BEGUN = (SCOPED, TEMPLATED, GENERATED, PARSED, RESOLVING, READY, EXECUTED)
SHEETED = (GENERATED, PARSED, RESOLVING, READY, EXECUTED)


def _row(
    command: type[Command],
    sources: tuple[State | None, ...],
    to: State | None,
    *guards: Guard,
    when: When = ALWAYS,
    actions: tuple[str, ...] | None = None,
    ends: bool = False,
    leads: str = "",
) -> Row:
    """A row whose RPC is named as the command is, unless it says otherwise."""
    return Row(command, sources, to, when, guards, (command.__name__,) if actions is None else actions, ends, leads)


_SUBMITS = ("SubmitSheet", "ExecuteSheet")

# fmt: off
TABLE: tuple[Row, ...] = (
    #    command           from                 to         guards                   outcome
    _row(CreateSession,    (None,),             EMPTY,                              actions=()),
    _row(ForkSession,      (None,),             None,                               actions=(), leads="the parent's"),
    _row(SetScope,         IDLE,                SCOPED,                             when=_SOME),
    _row(ClearScope,       BEGUN,               EMPTY),
    _row(SetTemplate,      (SCOPED, TEMPLATED), TEMPLATED),
    _row(SetTemplate,      SHEETED,             TEMPLATED, SCOPE_SET),
    _row(ConfirmIntent,    (TEMPLATED,),        TEMPLATED, UNCONFIRMED),
    _row(GenerateSheet,    (TEMPLATED,),        GENERATED, CONFIRMED),
    _row(ImportSheet,      IDLE,                GENERATED),
    _row(ParseSheet,       SHEETED,             GENERATED, NOT_SPENT,               when=_SYNTAX),
    _row(ParseSheet,       SHEETED,             PARSED,    NOT_SPENT,               when=_ERRORS),
    _row(ParseSheet,       SHEETED,             RESOLVING, NOT_SPENT,               when=_OPEN),
    _row(ParseSheet,       SHEETED,             READY,     NOT_SPENT,               when=_NONE_OPEN),
    _row(ResolveReference, (RESOLVING, READY),  RESOLVING,                          when=_OPEN),
    _row(ResolveReference, (RESOLVING, READY),  READY,                              when=_NONE_OPEN),
    _row(SubmitSheet,      (READY,),            EXECUTING, NOT_SPENT, SAME_CATALOG, when=_CONFIRM, actions=_SUBMITS),
    _row(PlanSheet,        (READY,),            READY,     NOT_SPENT, SAME_CATALOG),
    _row(CancelExecution,  (EXECUTING,),        EXECUTING),
    _row(FinishExecution,  (EXECUTING,),        READY,                              when=_STALE, actions=()),
    _row(FinishExecution,  (EXECUTING,),        EXECUTED,                           when=_ENDED, actions=()),
    _row(ResetSession,     IDLE,                SCOPED,    SCOPE_SET,               when=_TO_SCOPED),
    _row(ResetSession,     IDLE,                EMPTY,                              when=_TO_EMPTY),
    _row(UndoSession,      IDLE,                None,      UNDOABLE,                leads="as it was"),
    _row(RedoSession,      IDLE,                None,      REDOABLE,                leads="as it was"),
    _row(CloseSession,     IDLE,                None,                               when=_OUTCOME, ends=True),
    _row(ExpireSession,    IDLE,                None,                               actions=(), ends=True),
    # What is no layer may change at any time.
    _row(RenewSession,     ANY,                 None),
    _row(LabelSession,     ANY,                 None),
    _row(UpdateSession,    ANY,                 None),
    _row(AppendSessionEvents, ANY,              None),
)
# fmt: on
