"""queue, executions, replay against a real server: what they print into a pipe and how they end."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cli.conftest import run, running

from sheetgrpc.client import connect

FAILING = """\
(cbu.ensure :name "Espe Fund" :jurisdiction "LU" :as @fund)
(cbu.create :name "Espe Fund" :jurisdiction "LU" :as @again)
"""


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


@pytest.fixture
def plugged(tmp_path: Path) -> Iterator[str]:
    """Where a server listens that calls into a module, which fails."""
    (tmp_path / "bells.py").write_text("def ring(call):\n    raise RuntimeError\n")
    (tmp_path / "bells.yaml").write_text('verbs: {bell.ring: {kind: call, handler: "bells:ring"}}\n')
    line = run("trust", "bells", "--handlers", tmp_path).raw
    (tmp_path / "allow.yaml").write_text(f"version: 1\nmodules:\n  {line}")
    files = ("--catalog", tmp_path / "bells.yaml", "--allow", tmp_path / "allow.yaml", "--handlers", tmp_path)
    with running(tmp_path, "--breaker-failures", 2, *files) as address:
        yield address


def test_a_module_is_paused_shown_and_resumed(plugged: str) -> None:
    """C-R14, and as the requirements' section 2 has it: visible in the figures."""
    paused = run("queue", "pause", "--module", "bells", "--address", plugged)
    assert (paused.code, paused.err, paused.out) == (0, "", "bells: paused, by anonymous\n")
    resumed = run("queue", "resume", "--module", "bells", "--address", plugged, "--json")
    found = json.loads(resumed.raw)
    assert (found["module"], found["state"], found["paused_by"]) == ("bells", "BREAKER_STATE_CLOSED", "")
    asyncio.run(_run(plugged, "(bell.ring)"))
    assert "\nmodule   bells: runs, after 1 failure in a row\n" in run("queue", "stats", "--address", plugged).out
    asyncio.run(_run(plugged, "(bell.ring)"))
    assert (
        "\nmodule   bells: paused after 2 failures in a row, until " in run("queue", "stats", "--address", plugged).out
    )
    unknown = run("queue", "pause", "--module", "none", "--address", plugged)
    assert (unknown.code, 'no call verb runs "none"' in unknown.err) == (1, True)


async def _run(address: str, sheet: str) -> None:
    """An execution, of a session that stays open."""
    async with connect(address) as client:
        session = await client.sessions.create()
        await session.import_sheet(sheet)
        await session.parse_sheet()
        async for _ in session.execute_sheet(confirm=True):
            pass


def test_executions_are_listed_and_replayed_when_confirmed(address: str) -> None:
    asyncio.run(_run(address, FAILING))
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
