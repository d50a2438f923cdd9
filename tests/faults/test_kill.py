"""SIGKILL at every point of every command: before and after each call into the store, at each statement it writes.

Then a restart on what is there, and the same request again: one effect, and the answer of a run that nothing struck.
"""

import asyncio
from pathlib import Path
from typing import get_args

from tests.faults.cases import CASES, check_sound, dump, opened, send
from tests.faults.conftest import Expected
from tests.faults.crashing import Crasher

from sheetgrpc.engine.intents import Intent, TaskIntent
from sheetgrpc.store.queue import QueueMode


def test_every_changing_intent_has_a_case() -> None:
    """Whoever adds a command adds a line to `cases.CASES`.

    CancelExecution is no intent of the one handler and needs a run: tests/engine/test_cancel_replies.py strikes it.
    """
    assert {type(case.intent) for case in CASES.values()} == {*get_args(Intent), *get_args(TaskIntent), QueueMode}


async def test_a_killed_command_happens_once_and_answers_the_same(
    expected: Expected, crasher: Crasher, tmp_path: Path
) -> None:
    """D-2, D-3, and "crash between commit and reply" of D-44."""
    paths: list[Path] = []
    survived = None
    while survived is None:
        paths.append(expected.copy(tmp_path / f"{len(paths)}.db"))
        survived = crasher.crash(paths[-1], expected.name, len(paths))
    assert survived.reply == expected.reply
    assert len(survived.points) == len(paths) - 1
    committed = await asyncio.gather(*(_restart(expected, path) for path in paths))
    _check_points(survived.points, committed[:-1])


async def _restart(expected: Expected, path: Path) -> bool:
    """Sends the request again, twice, on what is there; whether all of it was there already."""
    check_sound(path)
    found = dump(path)
    assert found in (expected.before, expected.after), "half of it is there"
    async with opened(path) as engine:
        first, second = [await send(engine, expected.case) for _ in range(2)]
    assert (first.body, first.replayed) == (expected.reply, found == expected.after)
    assert (second.body, second.replayed) == (expected.reply, True)
    assert dump(path) == expected.after
    return found == expected.after


def _check_points(points: list[str], committed: list[bool]) -> None:
    """That the points are what they are said to be, and the change was there from one of them on."""
    commit = points.index("before transaction.commit")
    assert points[commit + 1 :].count("statement COMMIT") == 1
    assert points[-1] == "after end"
    after = points.index("after transaction.commit")
    assert points[after - 1] == "statement COMMIT"
    assert committed == [at >= after for at in range(len(points))]
