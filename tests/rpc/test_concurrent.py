"""Many clients at once on a few sessions, over connections that break: all of it as if one came after the other."""

import itertools
from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

import pytest
from tests.rpc.conftest import StartServer
from tests.rpc.linearizability import Operation, find_violation
from tests.rpc.registers import Answer, Command, Rename, apply, over, play

pytestmark = pytest.mark.asyncio(loop_scope="session")

History: TypeAlias = list[Operation[Command, Answer]]
IN_TEST, IN_SOAK = 4_000, 20_000


async def test_compare_and_sets_reads_and_moving_labels_are_linearizable(start_server: StartServer) -> None:
    """Clients that go away have done what they asked for once, later or never: D-1, D-4, D-36 ("never lost")."""
    await judge(start_server, seed=1, commands=IN_TEST)


@pytest.mark.soak
@pytest.mark.timeout(1500)
@pytest.mark.parametrize("seed", range(2, 5))
async def test_so_are_very_many(start_server: StartServer, seed: int) -> None:
    await judge(start_server, seed=seed, commands=IN_SOAK)


async def judge(start_server: StartServer, *, seed: int, commands: int) -> None:
    server = await start_server()
    worlds, counts = await play([server.server.address], seed=seed, commands=commands)
    for kind in ("Read", "Rename", "Label", "Stale"):
        assert counts[kind] >= commands // 20, counts  # what the judge is to see has happened
    for kind in ("repeated", "replayed", "unanswered"):  # how often is for the moment to say
        assert counts[kind], counts
    for world in worlds:
        violation = find_violation(world.recorder.history, world.start, apply, over)
        assert violation is None, violation


def _stale(history: History, at: int) -> History:
    """An answer as it was a version ago."""
    return _answer(history, at, lambda version: version - 1)


def _ahead(history: History, at: int) -> History:
    """An answer as it will be."""
    return _answer(history, at, lambda version: version + 1)


def _lost(history: History, at: int) -> History:
    """A change that was answered and did not happen."""
    return history[:at] + history[at + 1 :]


def _twice(history: History, at: int) -> History:
    """A change that happened twice."""
    again = replace(history[at], called=history[-1].called + 10**6, returned=history[-1].called + 10**6 + 1)
    return [*history, again]


async def test_the_judge_sees_what_would_be_wrong_with_such_a_history(start_server: StartServer) -> None:
    server = await start_server()
    # Nobody goes away: what one may have done unseen could explain a damage.
    (world,), _ = await play([server.server.address], seed=9, worlds=1, contestants=4, commands=240, cuts=0)
    history = world.recorder.history
    assert find_violation(history, world.start, apply, over) is None
    done = [at for at, one in enumerate(history) if isinstance(one.command, Rename) and isinstance(one.answer, tuple)]
    assert len(done) >= 10
    for damage, at in itertools.product((_stale, _ahead, _lost, _twice), done[:: len(done) // 10]):
        assert find_violation(damage(history, at), world.start, apply, over) is not None, (damage, history[at])


def _answer(history: History, at: int, change: Callable[[int], int]) -> History:
    answer = history[at].answer
    assert isinstance(answer, tuple)
    number, register = answer
    other = replace(register, version=change(register.version))
    return [*history[:at], replace(history[at], answer=(number, other)), *history[at + 1 :]]
