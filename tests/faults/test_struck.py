"""The caller goes away, the handler is cancelled, or the store fails, at every point of every command, in one process.

The command took effect or it did not, never half; the connection is free for the next; the same request sent again is
answered as one that nothing struck; a failure is never what is kept.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from tests.faults.cases import dump, opened, send
from tests.faults.conftest import Expected
from tests.faults.points import Points, WatchedStore

from sheetgrpc.engine.engine import Engine
from sheetgrpc.errors import Reason, Unavailable

Strike: TypeAlias = Callable[["asyncio.Task[Any]"], None]


def _go_away(caller: "asyncio.Task[Any]") -> None:
    caller.cancel()


def _cancel_the_handler(_caller: "asyncio.Task[Any]") -> None:
    handler = asyncio.current_task()  # the caller's own until it is known that there is something to be done
    assert handler is not None
    handler.cancel()


def _drop_the_answer(_caller: "asyncio.Task[Any]") -> None:
    raise Unavailable(Reason.STORE_UNAVAILABLE, "the connection was dropped")


def _break(_caller: "asyncio.Task[Any]") -> None:
    raise ZeroDivisionError


STRIKES: dict[Strike, tuple[type[BaseException], ...]] = {
    _go_away: (asyncio.CancelledError,),
    _cancel_the_handler: (asyncio.CancelledError,),
    _drop_the_answer: (Unavailable,),
    _break: (ZeroDivisionError,),
}


@pytest.mark.parametrize("strike", STRIKES, ids=lambda strike: strike.__name__.strip("_"))
async def test_a_struck_command_happens_once_and_answers_the_same(
    expected: Expected, strike: Strike, tmp_path: Path
) -> None:
    """D-3 (a dropped answer), D-4 (a cancelled command), D-6 (an unexpected exception is not kept), D-44."""
    points = Points(0)
    async with opened(expected.copy(tmp_path / "calm.db"), partial(WatchedStore, points=points)) as engine:
        await send(engine, expected.case)
    paths = [expected.copy(tmp_path / f"{point}.db") for point in range(1, len(points.passed) + 1)]
    there = await asyncio.gather(*(_survive(expected, path, at, strike) for at, path in enumerate(paths, start=1)))
    decisive = _decisive(points.passed, strike)
    assert all(there[decisive:])
    # A handler that is cancelled before goes on to where it next has to wait, which may be the commit.
    assert strike is _cancel_the_handler or not any(there[:decisive])


def _decisive(points: list[str], strike: Strike) -> int:
    """The first point after which all of the command is there in the end."""
    if strike is _go_away:
        return 0  # what was begun is ended without its caller
    if strike is _cancel_the_handler:
        return points.index("after transaction.open")  # the next await is the commit, and that is not broken off
    return points.index("after transaction.commit")


async def _survive(expected: Expected, path: Path, point: int, strike: Strike) -> bool:
    """Whether the command that was struck was done."""
    points = Points(point)
    async with opened(path, partial(WatchedStore, points=points)) as engine:
        await _strike(expected, engine, points, strike)
        found = dump(path)
        assert found in (expected.before, expected.after), f"half of it is there after {points.passed}"
        await _repeat(expected, engine, replayed=found == expected.after)
        assert dump(path) == expected.after
    return found == expected.after


async def _strike(expected: Expected, engine: Engine, points: Points, strike: Strike) -> None:
    """The command, until nothing of it is under way any more."""
    caller = asyncio.create_task(send(engine, expected.case))
    points.strike = partial(strike, caller)
    (answer,) = await asyncio.gather(caller, return_exceptions=True)
    await engine._handler.settle()
    points.strike = None
    assert points.struck
    if isinstance(answer, BaseException):
        assert isinstance(answer, STRIKES[strike])
    else:
        assert answer.body == expected.reply


async def _repeat(expected: Expected, engine: Engine, *, replayed: bool) -> None:
    """The same request twice more, over the same connections."""
    writer = engine.store._store._writer  # type: ignore[attr-defined]  # the watched one's, which is SQLite's
    assert not await writer.run(lambda connection: connection.in_transaction)
    first, second = [await send(engine, expected.case) for _ in range(2)]
    assert (first.body, first.replayed) == (expected.reply, replayed)
    assert (second.body, second.replayed) == (expected.reply, True)
