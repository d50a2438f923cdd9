"""Undo, redo and fork in the pure machine: which layers come back, and what is not a layer."""

import pytest
from hypothesis import given, settings
from msgspec.structs import replace
from tests.session.situations import (
    CATALOG,
    COMMANDS,
    CONFIRM,
    CREATE,
    FORK,
    GENERATE,
    REDO,
    SCOPE,
    SHEET,
    SITUATIONS,
    TEMPLATE,
    UNDO,
    aimed,
    draw,
    finish,
    parse,
    resolve,
    run,
    submit,
)
from tests.session.test_walks import STEPS, fitted, onward

from sheetgrpc.errors import Conflict, NotAllowed, Reason, SheetError
from sheetgrpc.session.commands import Command, LabelSession, RedoSession, ResetSession, UndoSession, UpdateSession
from sheetgrpc.session.events import LAYERED, Event
from sheetgrpc.session.layers import analysed, forked, is_parsed, layers_of, unparsed
from sheetgrpc.session.machine import allowed_actions, decide, fold
from sheetgrpc.session.model import MAX_UNDO, Choice, ExecutionState, Layers, Lifecycle, Session, State

READY = (CREATE, SCOPE, TEMPLATE, CONFIRM, GENERATE, parse(unresolved=1), resolve(left=0))


class Walk:
    """A session with its log: undo and redo find their layers in it, as the engine does."""

    def __init__(self, *commands: Command) -> None:
        self.log: list[Event] = []
        self.do(*commands)

    @property
    def session(self) -> Session:
        return fold(self.log)

    @property
    def layers(self) -> Layers:
        return layers_of(self.session)

    def do(self, *commands: Command) -> "Walk":
        for command in commands:
            session = fold(self.log) if self.log else None
            asked = command if session is None else fitted(command, session, len(self.log), self.log)
            self.log += decide(session, asked, draw(len(self.log)), catalog_digest=CATALOG)
        return self


@settings(deadline=None)
@given(STEPS)
def test_undo_and_redo_walk_through_snapshots_as_an_editor_does(steps: list[tuple[str, str]]) -> None:
    """Beside the machine runs what an editor keeps: the layers themselves, in two lists."""
    walk = Walk(CREATE)
    past: list[Layers] = []
    future: list[Layers] = []
    for step, catalog in steps:
        session, before = walk.session, walk.layers
        name = onward(session) if step == "onward" else step
        command = fitted(COMMANDS[name](catalog), session, len(walk.log), walk.log)
        try:
            events = decide(session, command, draw(len(walk.log)), catalog_digest=catalog)
        except SheetError:
            if session.lifecycle is Lifecycle.ACTIVE and session.state is not State.EXECUTING:
                assert name != "UndoSession" or not past
                assert name != "RedoSession" or not future
            continue
        walk.log += events
        if name == "UndoSession":
            future.append(before)
            assert walk.layers == past.pop()
        elif name == "RedoSession":
            past.append(before)
            assert walk.layers == future.pop()
        elif any(isinstance(event, LAYERED) for event in events):
            past, future = [*past, before], []
        elif name == "FinishExecution.stale":
            past = past[:-1]  # the submit never was
        elif name == "FinishExecution.done":
            past, future = [], []
        assert (len(walk.session.undo), len(walk.session.redo)) == (len(past), len(future))


@pytest.mark.parametrize("steps", range(1, len(READY)))
def test_every_step_can_be_undone_and_redone(steps: int) -> None:
    walk = Walk(*READY)
    after = walk.layers
    walk.do(*[UNDO] * steps)
    assert walk.layers == Walk(*READY[: len(READY) - steps]).layers
    walk.do(*[REDO] * steps)
    assert walk.layers == after
    assert walk.session.redo == ()
    with pytest.raises(NotAllowed):
        walk.do(REDO)


def test_a_choice_that_is_undone_is_not_a_choice_any_more() -> None:
    walk = Walk(*READY)
    assert walk.session.sheet is not None
    assert walk.session.sheet.choices == (Choice("ref-1", "entity-1"),)
    walk.do(UNDO)
    assert walk.session.state is State.RESOLVING
    assert (walk.session.sheet.choices, walk.session.sheet.unresolved_count) == ((), 1)


def test_of_two_choices_for_one_reference_the_later_is_kept() -> None:
    same = replace(resolve(left=0), apply_to_same_text=True)
    session = run(*READY, replace(resolve(left=0), entity_id="entity-2"))
    assert session.sheet is not None
    assert session.sheet.choices == (Choice("ref-1", "entity-2"),)
    session = run(same, resolve(left=0), session=session)  # the first of these is for other references too
    assert session.sheet is not None
    assert session.sheet.choices == (Choice("ref-1", "entity-1", True), Choice("ref-1", "entity-1"))


def test_another_step_forgets_what_could_be_redone_and_a_label_does_not() -> None:
    walk = Walk(*READY).do(UNDO, LabelSession(label="b"), UpdateSession(name="n"))
    assert len(walk.session.redo) == 1
    walk.do(SCOPE)
    assert walk.session.redo == ()


def test_labels_and_details_stay_when_a_step_is_undone() -> None:
    walk = Walk(*READY).do(LabelSession(label="b"), UpdateSession(name="n", metadata={"x": 1}), UNDO)
    session = walk.session
    assert ("b" in session.labels, session.name, session.metadata["x"]) == (True, "n", 1)
    assert (session.state, session.lifecycle) == (State.RESOLVING, Lifecycle.ACTIVE)


def test_fifty_steps_can_be_undone_and_no_more() -> None:
    walk = Walk(CREATE, *[SCOPE] * (MAX_UNDO + 5))
    assert walk.session.undo == tuple(range(6, MAX_UNDO + 6))
    walk.do(*[UNDO] * MAX_UNDO)
    with pytest.raises(NotAllowed) as refused:
        walk.do(UNDO)
    assert refused.value.reason is Reason.ACTION_NOT_ALLOWED
    assert len(walk.session.redo) == MAX_UNDO
    assert "UndoSession" not in allowed_actions(walk.session, CATALOG)
    walk.do(*[REDO] * MAX_UNDO)
    assert walk.session.undo[0] > MAX_UNDO


def test_a_run_that_committed_nothing_is_undone_to_ready_and_redone_to_how_it_ended() -> None:
    walk = Walk(*READY, submit(), finish(ExecutionState.ROLLED_BACK))
    ended = walk.layers
    walk.do(UNDO)
    assert (walk.session.state, walk.session.last_execution_id) == (State.READY, "")
    walk.do(REDO)
    assert walk.layers == ended
    assert (walk.session.state, walk.session.last_execution_id) == (State.EXECUTED, "execution-7")


@pytest.mark.parametrize("state", [ExecutionState.SUCCEEDED, ExecutionState.PARTIAL])
def test_a_commit_forgets_all_that_could_be_undone_or_redone(state: ExecutionState) -> None:
    walk = Walk(*READY).do(UNDO, REDO, submit(), finish(state))
    assert (walk.session.undo, walk.session.redo) == ((), ())
    walk.do(SCOPE, UNDO)
    assert (walk.session.state, walk.session.undo) == (State.EXECUTED, ())
    assert walk.session.sheet is not None
    assert walk.session.sheet.spent
    with pytest.raises(NotAllowed) as refused:
        walk.do(submit("execution-2"))
    assert refused.value.reason is Reason.SHEET_ALREADY_APPLIED


def test_symbols_that_a_reset_forgot_do_not_come_back() -> None:
    walk = Walk(*READY).do(submit(), finish(ExecutionState.SUCCEEDED), ResetSession(to=State.EMPTY), UNDO)
    assert (walk.session.state, walk.session.committed) == (State.EXECUTED, ())


@pytest.mark.parametrize("command", [UNDO, REDO])
def test_layers_of_another_sequence_are_a_conflict(command: UndoSession | RedoSession) -> None:
    session = SITUATIONS["U"]
    asked = aimed(command, session)
    assert isinstance(asked, UndoSession | RedoSession)
    with pytest.raises(Conflict) as refused:
        decide(session, replace(asked, sequence=asked.sequence - 1), draw())
    assert refused.value.metadata == {"sequence": str(asked.sequence)}


def test_a_fork_has_the_layers_and_nothing_else() -> None:
    session = run(FORK)
    assert (session.version, session.state, session.lifecycle) == (1, State.SCOPED, Lifecycle.PENDING)
    assert (session.parent_id, session.scope, session.committed) == (FORK.parent_id, SCOPE.scope, ("execution-0",))
    assert (session.labels, session.undo, session.redo) == ((), (), ())
    assert (session.name, session.role, session.metadata) == (FORK.name, FORK.role, FORK.metadata)


def test_the_steps_of_a_fork_are_undone_to_where_it_began() -> None:
    walk = Walk(FORK, TEMPLATE, UNDO)
    assert walk.layers == FORK.layers
    with pytest.raises(NotAllowed):
        walk.do(UNDO)


@pytest.mark.parametrize(
    ("situation", "state"),
    [("E", "EMPTY"), ("Tc", "TEMPLATED"), ("R", "RESOLVING"), ("X", "READY"), ("F", "READY"), ("D", "EXECUTED")],
)
def test_a_fork_has_no_execution(situation: str, state: str) -> None:
    layers = forked(layers_of(SITUATIONS[situation]))
    assert layers.state == state
    assert (layers.last_execution_id, layers.last_execution_succeeded, layers.progress_total) == ("", False, 0)
    assert layers.sheet == SITUATIONS[situation].sheet


@pytest.mark.parametrize(
    ("found", "state"),
    [
        (parse(syntax=1), State.GENERATED),
        (parse(errors=1), State.PARSED),
        (parse(statements=0), State.PARSED),
        (parse(unresolved=1), State.RESOLVING),
        (parse(), State.READY),
    ],
)
def test_a_sheet_that_is_analysed_again_is_where_parsing_it_would_lead(found: Command, state: State) -> None:
    layers = layers_of(SITUATIONS["R"])
    parsed = parse() if not isinstance(found, type(parse())) else found
    assert layers_of(run(parsed, session=SITUATIONS["R"])) == analysed(layers, parsed)
    assert analysed(layers, parsed).state is state


def test_a_sheet_of_another_catalog_is_as_before_its_parse_but_for_what_was_chosen() -> None:
    layers = unparsed(layers_of(run(*READY)), 2)
    assert layers.state is State.GENERATED
    assert layers.sheet == replace(SHEET, statement_count=2, choices=(Choice("ref-1", "entity-1"),))
    assert layers.scope == SCOPE.scope


def test_only_a_parsed_sheet_that_did_not_run_is_asked_again() -> None:
    asked = {name for name, session in SITUATIONS.items() if is_parsed(layers_of(session))}
    assert asked == {"P", "Pi", "R", "Ri", "Y", "Yi", "Yo", "X", "Xi", "Co", "Ex"}
