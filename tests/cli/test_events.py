"""`sheetgrpc events`, `label` and `renew` against a real server."""

import asyncio
import json
import re
from datetime import timedelta

from tests.cli.conftest import SheetWriter, run

from sheetgrpc.client import connect

FUND = '(cbu.ensure :name "Events Fund" :jurisdiction "LU")\n'
KINDS = ["SessionCreated", "SheetImported", "SheetParsed", "SheetSubmitted", "ExecutionFinished", "SessionClosed"]


def applied(address: str, sheet: SheetWriter) -> str:
    ended = run("apply", sheet(FUND, "events.dsl"), "--yes", "--address", address)
    found = re.search(r"^session (\w+),", ended.raw, re.MULTILINE)
    assert found is not None, ended
    return found[1]


def test_events_are_printed_in_order_and_followed_to_the_end_of_the_session(address: str, sheet: SheetWriter) -> None:
    session = applied(address, sheet)
    listed = run("events", session, "--address", address)
    assert [line.split()[4] for line in listed.raw.splitlines()] == KINDS
    assert [line.split()[0] for line in listed.raw.splitlines()] == ["1", "2", "3", "4", "5", "6"]
    assert listed.raw.splitlines()[5].split(maxsplit=5)[5] == 'outcome="COMPLETED"'
    followed = run("events", session, "--follow", "--address", address)
    assert (followed.code, followed.raw) == (0, listed.raw)
    some = run("events", session, "--after", 2, "--type", "SheetParsed", "--address", address)
    assert some.raw == listed.raw.splitlines(keepends=True)[2]
    assert run("events", session, "--follow", "--type", "SheetParsed", "--address", address).raw == some.raw
    told = json.loads(run("events", session, "--json", "--address", address).raw)
    assert [event["type"] for event in told] == KINDS
    assert told[5]["payload"] == {"outcome": "COMPLETED"}


async def open_leased(address: str) -> str:
    async with connect(address) as client:
        return (await client.sessions.create("leased", lease=timedelta(hours=1))).id


def test_a_session_is_given_its_time_again(address: str) -> None:
    session = asyncio.run(open_leased(address))
    renewed = run("renew", session, "--address", address)
    assert re.fullmatch(rf"session {session} lives until \d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d UTC\n", renewed.raw), renewed
    shown = run("show", session, "--address", address).raw
    assert re.search(r"^lease +1:00:00$", shown, re.MULTILINE)
    assert f"expires  {renewed.raw.split(' until ')[1].strip()}" in shown


def test_following_from_beyond_the_log_says_where_it_goes_on(address: str, sheet: SheetWriter) -> None:
    session = applied(address, sheet)
    followed = run("events", session, "--after", 99, "--follow", "--address", address)
    assert followed.raw == "    6  the events up to here are gone; it goes on after them\n"


def test_following_and_one_document_exclude_each_other() -> None:
    ended = run("events", "x", "--follow", "--json")
    assert (ended.code, ended.raw) == (2, "")


def test_a_session_that_has_ended_takes_no_label(address: str, sheet: SheetWriter) -> None:
    ended = run("label", applied(address, sheet), "late", "--address", address)
    assert ended.code == 1
    assert "SESSION_CLOSED" in ended.err
