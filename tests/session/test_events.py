"""How events are written down, and that what was once written is read for ever."""

from pathlib import Path
from typing import get_args

import msgspec
import pytest
from tests.session.situations import SITUATIONS

from sheetgrpc.session.events import ENDINGS, TYPES, Event, decode, encode, event_type
from sheetgrpc.session.machine import evolve, fold
from sheetgrpc.session.model import Lifecycle, State

# As version 1 wrote them, one of each kind and in an order that makes a session: lines are added here, never changed.
LINES = Path(__file__).with_name("events_v1.jsonl").read_text(encoding="utf-8").splitlines()
KINDS = {kind.__struct_config__.tag: kind for kind in get_args(Event)}


@pytest.fixture(params=LINES, ids=lambda line: msgspec.json.decode(line)["type"])
def line(request: pytest.FixtureRequest) -> str:
    value = request.param
    assert isinstance(value, str)
    return value


def test_every_kind_of_event_has_a_line() -> None:
    assert {event_type(decode(line)) for line in LINES} == set(KINDS)


def test_an_event_round_trips_through_its_encoding(line: str) -> None:
    event = decode(line)
    assert decode(encode(event)) == event
    assert msgspec.json.decode(encode(event))["type"] == event_type(event)


def test_nothing_of_an_old_event_is_lost(line: str) -> None:
    old, new = msgspec.json.decode(line), msgspec.json.decode(encode(decode(line)))
    assert known(old, new) == old


def known(old: object, new: object) -> object:
    """Of the new value what the old one has a field for, at any depth."""
    if isinstance(old, dict) and isinstance(new, dict):
        return {key: known(value, new[key]) for key, value in old.items()}
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        return [known(*pair) for pair in zip(old, new, strict=True)]
    return new


def test_an_event_written_before_its_later_fields_existed_is_read_with_their_defaults(line: str) -> None:
    full = decode(line)
    required = {field.encode_name for field in msgspec.structs.fields(full) if field.required}
    kept = {key: value for key, value in msgspec.json.decode(line).items() if key in required | {"type"}}
    oldest = decode(msgspec.json.encode(kept))
    defaults = {field.name: field for field in msgspec.structs.fields(full) if not field.required}
    assert type(oldest) is type(full)
    assert all(getattr(oldest, name) == getattr(full, name) for name in required)
    assert all(getattr(oldest, name) == field_default(field) for name, field in defaults.items())


def field_default(field: msgspec.structs.FieldInfo) -> object:
    return field.default_factory() if field.default is msgspec.NODEFAULT else field.default


def test_an_event_of_a_later_version_with_more_fields_is_read(line: str) -> None:
    later = msgspec.json.decode(line) | {"added_in_version_9": {"x": 1}}
    assert decode(msgspec.json.encode(later)) == decode(line)


@pytest.mark.parametrize("situation", SITUATIONS)
def test_evolve_takes_any_event_in_any_situation(situation: str) -> None:
    before = SITUATIONS[situation]
    for line in LINES:
        after = evolve(before, decode(line))
        assert after.version == before.version + 1, line


def test_the_log_of_version_1_folds_to_what_it_folded_to_then() -> None:
    session = fold(decode(line) for line in LINES)
    assert (session.version, session.state, session.lifecycle) == (len(LINES), State.SCOPED, Lifecycle.COMPLETED)
    assert session.committed == ("01JD0000000000000000000EX1",)
    assert session.scope is not None
    assert session.scope.id == "01JD0000000000000000000SC2"
    assert (session.name, session.created_at, session.ended_at) == (
        "renamed",
        1_700_000_000_000_000,
        1_700_000_013_000_000,
    )
    assert (session.role, session.task_id, session.metadata) == ("", "task-2", {"ticket": 8})
    assert session.labels == ("allianz",)


def test_the_events_that_end_a_session_are_listed(line: str) -> None:
    event = decode(line)
    assert evolve(SITUATIONS["Y"], event).lifecycle.terminal is isinstance(event, ENDINGS)


def test_every_kind_of_event_is_a_type_that_lists_can_ask_for() -> None:
    assert set(KINDS) == TYPES


@pytest.mark.parametrize("text", ["", "{}", '{"type":"ScopeSet","at":1}', '{"type":"Nothing","at":1}', '{"at":1}'])
def test_what_is_no_event_is_refused(text: str) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode(text)
