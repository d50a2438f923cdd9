"""What a session says of itself: labels, name, role, task, metadata."""

from typing import Any

import pytest
from msgspec.structs import replace
from tests.session.situations import CREATE, SITUATIONS, draw, run

from sheetgrpc.errors import LimitExceeded
from sheetgrpc.session.commands import LabelSession, UpdateSession
from sheetgrpc.session.details import lose_label, merge
from sheetgrpc.session.events import SessionUpdated
from sheetgrpc.session.machine import decide, evolve
from sheetgrpc.session.model import MAX_LABELS, MAX_METADATA_BYTES, Lifecycle


def test_a_label_is_added_to_those_the_session_has() -> None:
    assert run(CREATE, LabelSession(label="b")).labels == ("allianz", "b")


def test_a_label_that_the_session_has_is_given_again_and_is_there_once() -> None:
    session = run(CREATE, LabelSession(label="b"), LabelSession(label="allianz"))
    assert (session.labels, session.version) == (("b", "allianz"), 3)


def test_a_session_has_a_hundred_labels_at_most() -> None:
    full = run(replace(CREATE, labels=tuple(map(str, range(MAX_LABELS)))))
    with pytest.raises(LimitExceeded):
        decide(full, LabelSession(label="one more"), draw())
    assert decide(full, LabelSession(label="99"), draw())


@pytest.mark.parametrize("situation", SITUATIONS)
def test_a_session_loses_a_label_in_any_situation_and_nothing_else_of_it_changes(situation: str) -> None:
    before = SITUATIONS[situation]
    after = evolve(before, lose_label(before, "allianz", "other", 5_000))
    assert after == replace(before, labels=(), version=before.version + 1, updated_at=5_000)


def test_a_label_that_a_session_does_not_have_cannot_be_lost() -> None:
    with pytest.raises(ValueError, match="does not have the label"):
        lose_label(SITUATIONS["E"], "other", "x", 1)


def test_a_pending_session_that_loses_a_label_stays_pending_and_one_that_gets_one_is_active() -> None:
    pending = SITUATIONS["E"]
    assert evolve(pending, lose_label(pending, "allianz", "x", 1)).lifecycle is Lifecycle.PENDING
    assert run(LabelSession(label="b"), session=pending).lifecycle is Lifecycle.ACTIVE


def test_an_update_changes_what_it_names_and_nothing_else() -> None:
    before = run(CREATE)
    after = run(UpdateSession(role="", task_id="task-2"), session=before)
    assert (after.name, after.role, after.task_id, after.metadata) == (before.name, "", "task-2", before.metadata)
    assert after.labels == before.labels


def test_an_event_states_the_metadata_as_it_is_after_the_merge() -> None:
    (event,) = decide(run(CREATE), UpdateSession(metadata={"ticket": None, "new": 1}), draw())
    assert isinstance(event, SessionUpdated)
    assert event.metadata == {"tags": ["a", None], "new": 1}


def test_metadata_beyond_its_limit_is_refused() -> None:
    with pytest.raises(LimitExceeded):
        decide(run(CREATE), UpdateSession(metadata={"x": "y" * MAX_METADATA_BYTES}), draw())


# The examples of RFC 7396, appendix A, whose target and patch are objects.
MERGES: list[tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = [
    ({"a": "b"}, {"a": "c"}, {"a": "c"}),
    ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
    ({"a": "b"}, {"a": None}, {}),
    ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
    ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
    ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
    ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
    ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
    ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
    ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
]


@pytest.mark.parametrize(("target", "patch", "merged"), MERGES)
def test_metadata_is_merged_as_rfc_7396_says(
    target: dict[str, Any], patch: dict[str, Any], merged: dict[str, Any]
) -> None:
    kept = repr(target)
    assert merge(target, patch) == merged
    assert repr(target) == kept
