"""Tasks as pure values: which state follows which, and what a change makes of a task."""

import itertools

import msgspec
import pytest

from sheetgrpc.errors import LimitExceeded, NotAllowed, Reason
from sheetgrpc.session.evolution import evolve
from sheetgrpc.session.model import Lifecycle, Session, TaskKind, TaskState
from sheetgrpc.session.tasks import (
    MAX_DATA_BYTES,
    NEXT,
    Task,
    TaskUpdate,
    check_data,
    created_event,
    update_task,
    updated_event,
)

# Every legal step, said once more than in the table: a changed table is a changed contract.
LEGAL = {
    TaskKind.NOTIFICATION: {("PENDING", "COMPLETED"), ("PENDING", "CANCELLED")},
    TaskKind.APPROVAL: {("PENDING", "APPROVED"), ("PENDING", "REJECTED"), ("PENDING", "CANCELLED")},
    TaskKind.ROUTING: {
        ("PENDING", "ACTIVE"),
        ("PENDING", "COMPLETED"),
        ("PENDING", "FAILED"),
        ("PENDING", "CANCELLED"),
        ("ACTIVE", "COMPLETED"),
        ("ACTIVE", "FAILED"),
        ("ACTIVE", "CANCELLED"),
    },
}
REACHED = {kind: {"PENDING", *(after for _, after in steps)} for kind, steps in LEGAL.items()}


def task(kind: TaskKind = TaskKind.ROUTING, state: TaskState = TaskState.PENDING, **fields: object) -> Task:
    known = {"id": "T", "description": "d", "from_role": "a", "to_role": "b", "trace_id": "t", "created_by": "anna"}
    times = {"created_at": 1, "updated_at": 1, "ended_at": 1 if state.terminal else None}
    return Task(**{**known, **times, "kind": kind, "state": state, **fields})  # type: ignore[arg-type]  # any of Task's


@pytest.mark.parametrize(
    ("kind", "before", "after"), [*itertools.product(TaskKind, TaskState, TaskState)], ids=lambda one: one.value
)
def test_only_the_listed_steps_are_taken(kind: TaskKind, before: TaskState, after: TaskState) -> None:
    """P1: decided once, and `ended_at` is set with that. O1: no way around the table."""
    found = task(kind, before)
    if (before, after) not in LEGAL[kind]:
        with pytest.raises(NotAllowed) as refused:
            update_task(found, TaskUpdate(state=after), 9)
        assert refused.value.reason is Reason.ACTION_NOT_ALLOWED
        assert refused.value.metadata["allowedStates"] == ",".join(found.next_states)
        return
    now = update_task(found, TaskUpdate(state=after), 9)
    assert (now.state, now.version, now.updated_at) == (after, 2, 9)
    assert now.ended_at == (9 if after.terminal else None)


@pytest.mark.parametrize("kind", TaskKind)
def test_a_state_that_nothing_leads_to_has_nothing_after_it(kind: TaskKind) -> None:
    assert {state for state in TaskState if NEXT[kind].get(state)} == {before for before, _ in LEGAL[kind]}
    assert {state.value for state in TaskState if state.terminal} >= REACHED[kind] - {"PENDING", "ACTIVE"}


def test_data_is_merged_and_what_is_not_given_stays() -> None:
    """O3: merged, not replaced; a null removes its key."""
    before = task(data={"a": {"b": 1, "c": 2}, "d": 3}, notes="before")
    now = update_task(before, TaskUpdate(data={"a": {"b": None, "e": 4}, "d": None}), 5)
    assert now.data == {"a": {"c": 2, "e": 4}}
    assert (now.state, now.notes) == (TaskState.PENDING, "")
    assert before.data == {"a": {"b": 1, "c": 2}, "d": 3}


def test_notes_alone_are_a_change() -> None:
    now = update_task(task(), TaskUpdate(notes="looked at it"), 5)
    assert (now.version, now.notes, now.state) == (2, "looked at it", TaskState.PENDING)


def test_data_is_bounded_also_where_it_grows_by_a_change() -> None:
    half = {"x": "y" * (MAX_DATA_BYTES // 2)}
    check_data(half)
    with pytest.raises(LimitExceeded):
        update_task(task(data=half), TaskUpdate(data={"z": half["x"]}), 5)


def test_what_has_ended_takes_nothing_at_all() -> None:
    with pytest.raises(NotAllowed, match="has ended"):
        update_task(task(state=TaskState.COMPLETED), TaskUpdate(notes="too late"), 5)


def test_its_session_hears_of_it_and_has_not_begun_by_that() -> None:
    """C2: a session that was only given a task is PENDING. U1: the trace is in the log."""
    session = Session(id="S", version=1, created_at=1, updated_at=1)
    made = task(trace_id="abc")
    done = update_task(made, TaskUpdate(state=TaskState.ACTIVE), 7)
    after = evolve(evolve(session, created_event(made)), updated_event(done))
    assert (after.version, after.lifecycle, after.updated_at) == (3, Lifecycle.PENDING, 7)
    assert msgspec.structs.replace(after, version=1, updated_at=1) == session
    assert {created_event(made).trace_id, updated_event(done).trace_id} == {"abc"}
    assert (updated_event(done).task_version, updated_event(done).state) == (2, TaskState.ACTIVE)
