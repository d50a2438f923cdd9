"""SIGKILL at every point of every command: before and after each call into the store, at each statement it writes.

Then a restart on what is there, and the same request again: one effect, and the answer of a run that nothing struck.
"""

from pathlib import Path
from typing import get_args

from tests.faults.cases import CASES, dump, opened, send
from tests.faults.conftest import Expected
from tests.faults.crashing import Crasher

from sheetgrpc.engine.intents import Intent


def test_every_changing_intent_has_a_case() -> None:
    """Whoever adds a command adds a line to `cases.CASES`."""
    assert {type(case.intent) for case in CASES.values()} == set(get_args(Intent))


async def test_a_killed_command_happens_once_and_answers_the_same(
    expected: Expected, crasher: Crasher, tmp_path: Path
) -> None:
    """D-2, D-3, and "crash between commit and reply" of D-44."""
    point, committed = 0, []
    while True:
        point += 1
        path = expected.copy(tmp_path / f"{point}.db")
        survived = crasher.crash(path, expected.name, point)
        found = dump(path)
        assert found in (expected.before, expected.after), f"half of it is there after point {point}"
        if survived is None:
            committed.append(found == expected.after)
        await _repeat(expected, path, replayed=found == expected.after)
        if survived is not None:
            break
    assert survived.reply == expected.reply
    assert len(survived.points) == point - 1
    _check_points(survived.points, committed)


def _check_points(points: list[str], committed: list[bool]) -> None:
    """That the points are what they are said to be, and the change was there from one of them on."""
    commit = points.index("before transaction.commit")
    assert points[commit + 1 :].count("statement COMMIT") == 1
    assert points[0] == "before store.reply"
    assert points[-1] == "after end"
    after = points.index("after transaction.commit")
    assert points[after - 1] == "statement COMMIT"
    assert committed == [at >= after for at in range(len(points))]


async def _repeat(expected: Expected, path: Path, *, replayed: bool) -> None:
    async with opened(path) as engine:
        first, second = [await send(engine, expected.case) for _ in range(2)]
    assert (first.body, first.replayed) == (expected.reply, replayed)
    assert (second.body, second.replayed) == (expected.reply, True)
    assert dump(path) == expected.after
