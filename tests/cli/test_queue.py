"""queue, executions, replay against a real server: what they print into a pipe and how they end."""

import asyncio
import json
from collections.abc import Iterator

import pytest
from tests.cli.conftest import run, running

from sheetgrpc.client import connect

FAILING = """\
(cbu.ensure :name "Espe Fund" :jurisdiction "LU" :as @fund)
(cbu.create :name "Espe Fund" :jurisdiction "LU" :as @again)
"""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server of these tests' own: they pause its queue and count what is in it."""
    with running(tmp_path_factory.mktemp("queue")) as address:
        yield address


def test_the_queue_is_paused_shown_and_resumed(address: str) -> None:
    paused = run("queue", "pause", "--mode", "drain", "--address", address)
    assert (paused.code, paused.err, paused.out) == (0, "", "paused: takes nothing in, runs what waits\n")
    shown = run("queue", "stats", "--address", address)
    assert shown.out.startswith("queue    paused: takes nothing in, runs what waits, by anonymous at ")
    assert "running  0 of 1 here\n" in shown.out
    found = json.loads(run("queue", "stats", "--address", address, "--json").raw)
    assert found["queue"]["mode"] == "QUEUE_MODE_DRAIN"
    resumed = run("queue", "resume", "--address", address)
    assert (resumed.code, resumed.out) == (0, "runs\n")
    assert json.loads(run("queue", "resume", "--address", address, "--json").raw)["mode"] == "QUEUE_MODE_RUNNING"


async def _fail(address: str) -> None:
    """An execution that is rolled back, of a session that stays open."""
    async with connect(address) as client:
        session = await client.sessions.create("fails")
        await session.import_sheet(FAILING)
        await session.parse_sheet()
        async for _ in session.execute_sheet(confirm=True):
            pass


def test_executions_are_listed_and_replayed_when_confirmed(address: str) -> None:
    asyncio.run(_fail(address))
    listed = run("executions", "--state", "rolled-back", "--limit", "1", "--address", address)
    heading, row = listed.raw.splitlines()
    assert heading.split() == ["execution", "session", "state", "priority", "retries", "submitted", "why"]
    assert row.split()[2:5] == ["ROLLED_BACK", "0", "0"]
    execution = row.split()[0]
    refused = run("replay", execution, "--address", address)
    assert (refused.code, "--yes" in refused.err) == (2, True)
    again = run("replay", execution, "--yes", "--address", address)
    assert (again.code, again.err) == (0, "")
    assert again.out == "queued <id>; see it with: sheetgrpc watch <id>\n"
    twice = run("replay", execution, "--yes", "--address", address)
    assert (twice.code, "was replayed as" in twice.err) == (1, True)


@pytest.mark.parametrize("arguments", [("--dead",), ("--state", "interrupted")])
def test_an_empty_list_says_so(address: str, arguments: tuple[str, ...]) -> None:
    assert run("executions", *arguments, "--address", address).out == "no executions\n"
