"""A real server behind a line that loses answers: the SDK sends again by itself, and everything is there once."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.client.breaking import Line, breaking
from tests.client.test_real_server import SHEET, serving

from sheetgrpc.client import Client, Retry, Unavailable, connect, entry
from sheetgrpc.v1.session_pb2 import Client as ClientMessage


@pytest.fixture
async def line(tmp_path: Path) -> AsyncIterator[Line]:
    async with serving(tmp_path) as address, breaking(address) as one:
        yield one


@pytest.fixture
async def client(line: Line) -> AsyncIterator[Client]:
    # Real pauses: what is sent again at once may meet the connection that is just being closed, eight times over.
    async with connect(line.address, retry=Retry(first=0.05, longest=0.25)) as one:
        await one.control.server_info()  # connected: what is lost from now on is an answer
        yield one


async def kinds(client: Client, session: str) -> list[str]:
    return [event.type async for event in client.sessions.events(session)]


@pytest.mark.parametrize("losses", [1, 3])
async def test_a_command_whose_answers_are_lost_takes_effect_once(line: Line, client: Client, losses: int) -> None:
    """Section 5, 3: committed, the connection dropped; the SDK's own retry gets the stored answer."""
    line.cuts = losses
    session = await client.sessions.create("once", labels=["once"])
    assert (session.replayed, line.cuts) == (True, 0)
    assert [one.id async for one in client.sessions.list()] == [session.id]
    line.cuts = losses
    recorded = await session.append_events([entry("WARN", "a", data={"n": 1}), entry("COMMAND", "b")])
    assert (session.replayed, [one.sequence for one in recorded], session.now.version) == (True, [2, 3], 3)
    line.cuts = losses
    await session.import_sheet(SHEET)
    line.cuts = losses
    await session.close()
    assert await kinds(client, session.id) == ["SessionCreated", "Warn", "Command", "SheetImported", "SessionClosed"]


async def test_a_command_that_is_given_up_is_found_by_its_request_id(line: Line, client: Client) -> None:
    session = await client.sessions.create()
    line.cuts = 8
    with pytest.raises(Unavailable) as raised:
        await session.append_events([entry("ALERT", "x")])
    line.cuts = 0
    await session.append_events([entry("ALERT", "x")], request_id=raised.value.request_id)
    assert session.replayed
    assert await kinds(client, session.id) == ["SessionCreated", "Alert"]


async def test_a_run_whose_first_answer_is_lost_is_one_run(line: Line, client: Client) -> None:
    session = await client.sessions.create()
    await session.import_sheet(SHEET)
    await session.parse_sheet()
    line.cuts = 2
    execution = await session.execute_sheet(confirm=True).finished()
    assert [one.id async for one in client.executions.list(session=session.id)] == [execution.id]


async def test_a_watch_over_a_line_that_breaks_tells_each_event_once(line: Line, client: Client) -> None:
    session = await client.sessions.create()
    for _ in range(3):
        await session.append_events([entry("SYSTEM", "x")] * 2)
    seen = []
    async with client.sessions.watch(session.id) as events:
        line.cuts = 2
        async for event in events:
            seen.append(event.sequence)
            if len(seen) == 4:
                line.cuts = 1
                await session.close()
    assert seen == [1, 2, 3, 4, 5, 6, 7, 8]


async def test_a_session_is_resumed_and_sessions_are_listed_by_client_and_time(client: Client) -> None:
    here = ClientMessage(name="tests", version="1", target="paper")
    session = await client.sessions.create(client=here, labels=["resumed"])
    await session.append_events([entry("PROMPT", f"> {at}") for at in range(5)])
    found = await client.sessions.resume(
        "resumed", recent_events=2, client=ClientMessage(name="tests", version="1", target="live")
    )
    assert (found.session.id, found.session.now.event_count) == (session.id, 6)
    assert [event.payload["text"] for event in found.events] == ["> 3", "> 4"]
    assert len(found.warnings) == 1
    made = session.now.create_time.ToDatetime(UTC)
    minute = timedelta(minutes=1)
    for wanted, count in [
        ({"client_name": "tests", "client_target": "paper"}, 1),
        ({"client_target": "live"}, 0),
        ({"created_after": made - minute, "created_before": made + minute}, 1),
        ({"created_after": made + minute}, 0),
        ({"created_before": datetime(2020, 1, 1)}, 0),  # noqa: DTZ001  # without a zone it is UTC
    ]:
        assert len([one async for one in client.sessions.list(**wanted)]) == count
