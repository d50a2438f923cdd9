"""`sheetgrpc fork`, `undo` and `redo` against a real server."""

import re

from tests.cli.conftest import run
from tests.cli.test_events import SheetWriter, applied

from sheetgrpc.client import connect


def test_a_session_that_has_ended_is_forked_as_of_an_event(address: str, sheet: SheetWriter) -> None:
    session = applied(address, sheet)
    forked = run("fork", session, "--at", 3, "--name", "once more", "--address", address)
    found = re.fullmatch(r"session (\w+), forked from (\w+), is READY\n", forked.raw)
    assert found is not None, forked
    assert found[2] == session
    nothing = run("undo", found[1], "--address", address)
    assert (nothing.code, nothing.raw) == (1, "")
    assert "ACTION_NOT_ALLOWED" in nothing.err
    shown = run("show", found[1], "--address", address)
    assert "once more" in shown.raw
    assert f"parent   {session}" in shown.raw


def test_an_event_that_there_is_not_cannot_be_forked_at(address: str, sheet: SheetWriter) -> None:
    ended = run("fork", applied(address, sheet), "--at", 99, "--address", address)
    assert ended.code == 1
    assert "at_sequence" in ended.err


async def test_the_last_step_is_undone_and_redone(address: str) -> None:
    async with connect(address) as client:
        session = await client.sessions.create("cli undo")
        await session.import_sheet('(cbu.ensure :name "Undone Fund" :jurisdiction "LU")')
        await session.parse_sheet()
    assert run("undo", session.id, "--address", address).out == "session <id> is GENERATED again\n"
    assert run("redo", session.id, "--address", address).out == "session <id> is READY again\n"
