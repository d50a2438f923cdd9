"""`sheetgrpc events`, `label`, `renew`: the log of a session, another name to find it by, more time for it."""

import json
from collections.abc import Iterator, Mapping
from typing import Annotated

from cyclopts import Parameter
from google.protobuf.json_format import MessageToDict

from sheetgrpc.cli.connecting import reaching
from sheetgrpc.cli.documents import document_of, print_document
from sheetgrpc.cli.failure import NOT_BEGUN, Failure
from sheetgrpc.cli.options import DEFAULT_ADDRESS, Address, AsJson
from sheetgrpc.cli.terminal import shorten, shown_time, stdout
from sheetgrpc.client import Reset, SessionEvent

_FACTS = 100  # characters

SessionName = Annotated[str, Parameter(help="Its id, a unique prefix of that, or a label.")]


async def events(
    session: SessionName,
    /,
    *,
    address: Address = DEFAULT_ADDRESS,
    after: Annotated[int, Parameter(help="Only events after this sequence.")] = 0,
    types: Annotated[tuple[str, ...], Parameter(name="--type", help="Only events of this type; may be repeated.")] = (),
    follow: Annotated[bool, Parameter(help="Go on with each event as it happens, until the session ends.")] = False,
    as_json: AsJson = False,
) -> None:
    """Print the events of a session, oldest first."""
    if follow and as_json:
        raise Failure("--json prints one document, and --follow has no end; give one of them", NOT_BEGUN)
    async with reaching(address) as client:
        if follow:
            async with client.sessions.watch(session, after_sequence=after) as watched:
                async for event in watched:
                    if isinstance(event, Reset):
                        stdout().line(f"{event.sequence:>5}  the events up to here are gone; it goes on after them")
                    elif not types or event.type in types:
                        show_event(event)
            return
        listed = client.sessions.events(session, after_sequence=after, types=types)
        if as_json:
            print_document([document_of(event) async for event in listed])
            return
        async for event in listed:
            show_event(event)


def show_event(event: SessionEvent) -> None:
    """Print an event with its facts, on one line."""
    time = event.time.ToJsonString()[:19].replace("T", " ")
    facts = " ".join(_facts("", MessageToDict(event.payload)))
    stdout().line(f"{event.sequence:>5}  {time} UTC  {event.type:<17}  {shorten(facts, _FACTS)}".rstrip())


async def label(
    session: SessionName,
    text: Annotated[str, Parameter(name="LABEL", help="What to find it by from now on.")],
    /,
    *,
    address: Address = DEFAULT_ADDRESS,
) -> None:
    """Give a session a label; another session that has it loses it."""
    async with reaching(address) as client:
        found = await client.sessions.get(session)
        await found.label(text)
    stdout().line(f'"{text}" now means session {found.id}')


async def renew(session: SessionName, /, *, address: Address = DEFAULT_ADDRESS) -> None:
    """Show a session a sign of life: the time until it expires begins again."""
    async with reaching(address) as client:
        found = await client.sessions.get(session)
        await found.renew()
    until = f"until {shown_time(found.now.expire_time)}" if found.now.HasField("expire_time") else "as long as it runs"
    stdout().line(f"session {found.id} lives {until}")


def _facts(prefix: str, values: Mapping[str, object]) -> Iterator[str]:
    """Every value that says something, as name=value; what is within an object as object.name=value."""
    for name in sorted(values):  # protobuf has them in no order
        value = values[name]
        if isinstance(value, dict):
            yield from _facts(f"{prefix}{name}.", value)
        elif value not in (None, "", []):
            told = int(value) if isinstance(value, float) and value.is_integer() else value
            yield f"{prefix}{name}={json.dumps(told, ensure_ascii=False, sort_keys=True)}"
