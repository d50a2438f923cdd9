"""A plug-in for the tests: handlers that do well, work for long, fail, and ignore that they are cancelled.

Tests reach its events through `sys.modules`; it is imported from captured bytes like any other.
"""

import asyncio
import threading
from typing import Any

from fleet_calls.doing import build, change, sign
from sheetgrpc.handler import Call, Cancelled, Refused

__all__ = ["build", "change", "sign"]

STARTED = threading.Event()  # a handler is under way
GATE = threading.Event()  # lets those go on that wait for it
ENDED = threading.Event()  # one that was let go has come to its end
SEEN: list[Any] = []  # whatever handlers were given, or got


def echo(call: Call) -> None:
    """Keeps what it is given."""
    SEEN.append(dict(call.arguments))


def slow(call: Call) -> None:
    """Works until it is told to stop."""
    STARTED.set()
    try:
        while not GATE.wait(0.001):
            call.check()
    finally:
        ENDED.set()


async def slow_async(call: Call) -> None:
    """Waits, as a coroutine does."""
    call.find("port", {}, ["code"], 1)
    STARTED.set()
    try:
        await asyncio.Event().wait()
    finally:
        ENDED.set()


def slow_sql(call: Call) -> None:
    """Has the database work for long."""
    STARTED.set()
    call.insert("slow", {"name": "slow one"})


def ignores(call: Call) -> None:
    """Does not care, and then goes on writing."""
    STARTED.set()
    GATE.wait()
    try:
        call.insert("flag", {"code": "LATE"})
    except Cancelled as cancelled:
        SEEN.append(cancelled)
    SEEN.append(call.cancelled)
    ENDED.set()


async def ignores_async(call: Call) -> None:
    """Swallows what would end it."""
    STARTED.set()
    while not GATE.is_set():
        try:
            await asyncio.sleep(0.001)
        except asyncio.CancelledError:
            SEEN.append("cancelled")
    ENDED.set()


def fail(call: Call) -> Any:  # whatever it is not to answer
    """Fails, as it is told to, after it has written something."""
    call.insert("flag", {"code": call.arguments["code"]})
    match call.arguments["how"]:
        case "refused":
            raise Refused("the harbour is closed", "since May")
        case "bug":
            raise RuntimeError("SELECT secret")
        case "exit":
            raise SystemExit(1)
        case "twice":
            call.insert("flag", {"code": call.arguments["code"]})
        case "caught":
            try:
                call.insert("flag", {"code": call.arguments["code"]})
            except Refused:
                SEEN.append("caught")
        case "no key":
            call.find("port", {"port_no": "no number"})
        case "reach":
            call.find("sailor", {})
        case "write":
            call.insert("port", {"code": "X", "name": "X"})
        case "column":
            call.find("flag", {"no such": 1})
        case "float":
            call.insert("flag", {"code": 0.5})  # type: ignore[dict-item]  # that is what is refused
        case "everything":
            call.delete("flag", {})
        case "answer":
            return "a key"
        case "left":
            return None
    return None


async def fail_async(call: Call) -> None:
    """Fails at an await, with a task of its own left over."""
    kept = asyncio.ensure_future(asyncio.Event().wait())
    await asyncio.sleep(0)
    assert not kept.done()
    raise Refused("the tide is out")


def busy(call: Call) -> None:
    """Computes until it is let go; does not look up."""
    STARTED.set()
    while not GATE.is_set():
        SEEN[:] = [call.index]


def dry(call: Call) -> None:
    """Keeps whether this is a plan."""
    SEEN.append(call.dry_run)
