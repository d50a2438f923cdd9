"""`sheetgrpc record` and `resume` against a real server: lines go in, and are shown as they were."""

import json
import re

import pytest
from tests.cli.conftest import SheetWriter, run
from tests.cli.test_events import applied

from sheetgrpc.client import connect


@pytest.fixture
async def session(address: str) -> str:
    async with connect(address) as client:
        return (await client.sessions.create("noted", client={"name": "t", "version": "0", "target": "paper"})).id


def body(text: str) -> list[str]:
    """What follows the header."""
    return text.split("\n\n", 1)[1].splitlines() if "\n\n" in text else []


def test_lines_are_recorded_and_shown_by_their_kinds(address: str, session: str) -> None:
    to = ("--address", address)
    said = run("record", session, "--kind", "warn", "low", "on", "disk", *to)
    assert (said.code, said.out) == (0, "recorded 1 line in session <id>\n")
    assert run("record", session, "--kind", "alert", *to, stdin=b"one\r\n\n\x1b[31mtwo\n").raw.startswith("recorded 3 ")
    shown = run("resume", session, *to, "--target", "paper")
    assert shown.code == 0
    head = shown.raw.split("\n\n")[0]
    assert head.splitlines()[0] == f"session  {session}"
    assert re.search(r"^name     noted$", head, re.MULTILINE)
    assert re.search(r"^state    EMPTY, active, version 5$", head, re.MULTILINE)
    assert re.search(r"^started  \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC$", head, re.MULTILINE)
    assert re.search(r"^ended    live$", head, re.MULTILINE)
    assert re.search(r"^client   t 0 paper$", head, re.MULTILINE)
    assert re.search(r"^allowed  AppendSessionEvents, CloseSession, ", head, re.MULTILINE)
    assert head.splitlines()[-1] == "events   showing last 5 of 5 events"
    lines = body(shown.raw)
    assert [line.split()[0] for line in lines] == ["1", "2", "3", "4", "5"]
    assert lines[1].split(maxsplit=5)[4:] == ["warn", "low on disk"]
    assert [line.split(maxsplit=5)[4:] for line in lines[2:]] == [
        ["alert", "one"],
        ["alert"],
        ["alert", r"\x1b[31mtwo"],
    ]


def test_resuming_records_nothing_and_tells_how_much_it_leaves_out(address: str, session: str) -> None:
    """R1, D-40, Z-c: the last of them in order, the true number, and the same however often it is asked for."""
    run(
        "record",
        session,
        "--kind",
        "system",
        "--address",
        address,
        stdin=b"\n".join(b"line %d" % at for at in range(250)),
    )
    for _ in range(3):
        shown = run("resume", session, "--last", "2", "--address", address)
        assert "events   showing last 2 of 251 events\n" in shown.raw
        assert [line.split(maxsplit=5)[5] for line in body(shown.raw)] == ["line 248", "line 249"]
    assert len(body(run("resume", session, "--address", address).raw)) == 200
    none = run("resume", session, "--last", "0", "--address", address)
    assert none.raw.endswith("events   showing last 0 of 251 events\n")


def test_whoever_resumes_is_warned_on_stderr(address: str, session: str) -> None:
    """Z-d: of another target and another version."""
    shown = run("resume", session, "--target", "live", "--address", address)
    assert shown.code == 0
    assert [line.split(":")[0] for line in shown.err.splitlines()] == ["warning", "warning"]
    assert 'target is "live"; it was "paper"' in shown.err
    told = json.loads(run("resume", session, "--json", "--last", "1", "--address", address).raw)
    assert told["session"]["id"] == session
    assert [event["type"] for event in told["recent_events"]] == ["SessionCreated"]
    assert len(told["warnings"]) == 2


def test_a_session_that_has_ended_is_shown_with_its_end(address: str, sheet: SheetWriter) -> None:
    shown = run("resume", applied(address, sheet), "--last", "1", "--address", address)
    assert (shown.code, shown.err) == (0, "")
    assert re.search(r"^ended    \d{4}-", shown.raw, re.MULTILINE)
    assert "\nallowed " not in shown.raw
    assert body(shown.raw)[0].endswith('SessionClosed      outcome="COMPLETED"')


def test_a_line_that_spans_several_is_shown_as_several(address: str, session: str) -> None:
    run("record", session, "--kind", "prompt", "first\n  second", "--address", address)
    first, second = body(run("resume", session, "--last", "1", "--address", address).raw)
    assert first.endswith("  first")
    assert second == " " * (len(first) - len("first")) + "  second"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("resume", "x", "--last", "-1"), 2),
        (("resume", "x", "--last", "few"), 2),
        (("record", "x", "--kind", "shout", "hello"), 2),
        (("record", "x", "hello"), 2),
        (("record", "x", "--kind", "warn"), 2),
        (("resume", "no-such-session"), 1),
        (("record", "no-such-session", "--kind", "warn", "hello"), 1),
    ],
)
def test_what_cannot_be_done_is_told_and_prints_nothing(address: str, arguments: tuple[str, ...], code: int) -> None:
    """X1: one line of complaint, nothing partial."""
    ended = run(*arguments, "--address", address)
    assert (ended.code, ended.raw) == (code, "")
    assert ended.err.startswith("error: ")


def test_a_list_of_no_sessions_is_not_told_where_there_are_some(address: str, session: str) -> None:
    """L2: a limit of nothing is one."""
    listed = run("sessions", "--limit", "0", "--address", address)
    assert len(listed.raw.splitlines()) == 2
