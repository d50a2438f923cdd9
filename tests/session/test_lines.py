"""The lines of a terminal in a session's log, and what is not as it was when a session is gone on with."""

import pytest
from msgspec.structs import replace
from tests.session.situations import CREATE, SITUATIONS, draw, run

from sheetgrpc.errors import InvalidRequest, LimitExceeded
from sheetgrpc.session.commands import AppendSessionEvents
from sheetgrpc.session.details import find_drift
from sheetgrpc.session.events import decode, encode, event_type
from sheetgrpc.session.machine import decide, evolve
from sheetgrpc.session.model import MAX_ENTRIES, Client, Entry, EntryKind, Lifecycle

LINES = AppendSessionEvents(entries=tuple(Entry(kind, f"of {kind}", {"n": kind}) for kind in EntryKind))
WAS = Client("agent", "1.2", "paper")


def test_lines_become_events_of_their_kinds_in_the_order_given() -> None:
    """The seed's five kinds of events, under its names."""
    events = decide(run(CREATE), LINES, draw(7))
    assert [event_type(event) for event in events] == ["Prompt", "System", "Command", "Warn", "Alert"]
    assert [decode(encode(event)) for event in events] == list(events)
    assert {event.at for event in events} == {7}


@pytest.mark.parametrize("situation", [name for name, one in SITUATIONS.items() if not one.lifecycle.terminal])
def test_lines_change_nothing_of_a_session_but_how_long_its_log_is(situation: str) -> None:
    before = SITUATIONS[situation]
    after = run(LINES, session=before)
    assert after == replace(before, version=before.version + 5, updated_at=1_000, lifecycle=Lifecycle.ACTIVE)


def test_one_command_records_a_line_at_least_and_a_hundred_at_most() -> None:
    session, line = run(CREATE), Entry(EntryKind.WARN, "x")
    with pytest.raises(InvalidRequest):
        decide(session, AppendSessionEvents(entries=()), draw())
    with pytest.raises(LimitExceeded):
        decide(session, AppendSessionEvents(entries=(line,) * (MAX_ENTRIES + 1)), draw())
    for event in decide(session, AppendSessionEvents(entries=(line,) * MAX_ENTRIES), draw()):
        session = evolve(session, event)
    assert session.version == 1 + MAX_ENTRIES


@pytest.mark.parametrize(
    ("recorded", "now", "told"),
    [
        (WAS, WAS, []),
        (WAS, Client("another program", "1.2", "paper"), []),
        (WAS, Client("agent", "1.2", "live"), ['target is "live"; it was "paper"']),
        (WAS, Client("agent", "2.0", "paper"), ['version is "2.0"; it was "1.2"']),
        (WAS, Client("agent", "2.0", "live"), ['target is "live"', 'version is "2.0"']),
        (WAS, Client("agent"), []),
        (Client("agent", version="1.2"), WAS, ["told no target; what has changed is unknown"]),
        (
            Client("agent", target="x"),
            WAS,
            ['target is "paper"', "told no version; what has changed is unknown"],
        ),
        (Client(), WAS, ["told no target and no version; what has changed is unknown"]),
        (Client(), Client(), []),
    ],
)
def test_whoever_goes_on_is_warned_of_another_target_or_version(recorded: Client, now: Client, told: list[str]) -> None:
    """Z-d of section 3: a mismatch is told, and an unknown is told once."""
    lines = find_drift(recorded, now)
    assert len(lines) == len(told)
    assert all(part in line for part, line in zip(told, lines, strict=True)), lines
