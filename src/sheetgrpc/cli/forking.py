"""`sheetgrpc fork`, `undo` and `redo`: another try from what a session has or had."""

from typing import Annotated

from cyclopts import Parameter

from sheetgrpc.cli.connecting import reaching
from sheetgrpc.cli.events import SessionName
from sheetgrpc.cli.options import DEFAULT_ADDRESS, Address
from sheetgrpc.cli.terminal import stdout
from sheetgrpc.client import words
from sheetgrpc.v1.session_pb2 import Session


async def fork(
    session: SessionName,
    /,
    *,
    address: Address = DEFAULT_ADDRESS,
    at: Annotated[int, Parameter(help="As it was after this event; 0 is now.")] = 0,
    name: Annotated[str, Parameter(help="Name of the new session; the other's unless given.")] = "",
) -> None:
    """Make a session with the scope, template and sheet that another has, or had; the other stays as it is."""
    async with reaching(address) as client:
        parent = await client.sessions.get(session)
        made = await parent.fork(at_sequence=at, name=name)
    stdout().line(f"session {made.id}, forked from {parent.id}, is {_state(made.now)}")


async def undo(session: SessionName, /, *, address: Address = DEFAULT_ADDRESS) -> None:
    """Take the last step of a session back; what was committed stays."""
    async with reaching(address) as client:
        found = await client.sessions.get(session)
        await found.undo()
    stdout().line(f"session {found.id} is {_state(found.now)} again")


async def redo(session: SessionName, /, *, address: Address = DEFAULT_ADDRESS) -> None:
    """Take the last undo of a session back."""
    async with reaching(address) as client:
        found = await client.sessions.get(session)
        await found.redo()
    stdout().line(f"session {found.id} is {_state(found.now)} again")


def _state(session: Session) -> str:
    return words.session_state(session.state)
