"""Two servers race every compare-and-set: one wins, the other is told so, and nothing happens twice."""

import asyncio
import random
from collections.abc import Awaitable, Iterable
from pathlib import Path
from typing import TypeVar

import pytest
from tests.replicas.cluster import CRATES, SECONDS, Cluster, cluster, ended, held, ready, sheet, state
from tests.rpc.linearizability import find_violation
from tests.rpc.registers import apply, over, play

from sheetgrpc.client import SheetgrpcError
from sheetgrpc.v1.execution_service_pb2 import CANCEL_OUTCOME_ALREADY_FINISHED, CANCEL_OUTCOME_CANCELLED_BEFORE_START

pytestmark = pytest.mark.asyncio(loop_scope="session")
T = TypeVar("T")
ROUNDS = 15
IN_TEST, IN_SOAK = 2_000, 20_000


async def race(runners: Iterable[Awaitable[T]]) -> tuple[list[T], list[str]]:
    """What those who won were answered, and why the others were refused."""
    found = await asyncio.gather(*runners, return_exceptions=True)
    won = [one for one in found if not isinstance(one, BaseException)]
    lost = [one for one in found if isinstance(one, BaseException)]
    for error in lost:
        if not isinstance(error, SheetgrpcError):
            raise error
    return won, [str(error.reason) for error in lost if isinstance(error, SheetgrpcError)]


async def test_of_two_commands_that_expect_one_version_one_is_accepted(servers: Cluster) -> None:
    session = await servers.replicas[0].client.sessions.create()
    handles = [await replica.client.sessions.get(session.id) for replica in servers.replicas]
    for version in range(1, ROUNDS + 1):
        won, lost = await race(
            handle.update(name=f"{version} {number}", expected_version=version) for number, handle in enumerate(handles)
        )
        assert (len(won), lost) == (1, ["VERSION_CONFLICT"])
    await session.refresh()
    assert session.now.version == ROUNDS + 1


async def test_of_two_submits_one_is_accepted(servers: Cluster) -> None:
    for number in range(ROUNDS):
        session = await ready(servers.replicas[0].client, f'(other.ensure :code "r{number}")')
        handles = [await replica.client.sessions.get(session.id) for replica in servers.replicas]
        won, lost = await race(handle.submit_sheet(confirm=True) for handle in handles)
        assert len(won) == 1
        assert lost in (["ACTION_NOT_ALLOWED"], ["SHEET_ALREADY_APPLIED"])
        assert state(await ended(servers.replicas[1].client, won[0].id)) == "SUCCEEDED"
        sql = "SELECT count(*) FROM sheetgrpc.executions WHERE session_id = $1"
        assert await servers.rows(sql, session.id) == [1]


async def test_one_request_id_takes_effect_once_wherever_it_is_sent(servers: Cluster) -> None:
    """D-1, D-4: also to two servers at once; both give the same answer."""
    clients = [replica.client for replica in servers.replicas]
    for number in range(ROUNDS):
        made, _ = await race(client.sessions.create("n", request_id=f"made-{number}") for client in clients)
        assert len({session.id for session in made}) == 1
        assert len({session.now.SerializeToString(deterministic=True) for session in made}) == 1
        await race(session.update(role="r", request_id=f"changed-{number}") for session in made)
        await made[0].refresh()
        assert made[0].now.version == 2


async def test_of_two_cancels_of_what_waits_one_ends_it(servers: Cluster) -> None:
    clients = [replica.client for replica in servers.replicas]
    async with held(servers.url, CRATES):
        busy = [await (await ready(clients[0], sheet(1, f"b{at}"))).submit_sheet(confirm=True) for at in range(2)]
        async with asyncio.timeout(SECONDS):
            while {state(await clients[0].executions.get(one.id)) for one in busy} != {"RUNNING"}:
                pass
        for number in range(ROUNDS):
            session = await ready(clients[0], f'(other.ensure :code "w{number}")')
            waiting = await session.submit_sheet(confirm=True)
            answers, lost = await race(client.executions.cancel(waiting.id) for client in clients)
            assert not lost
            assert sorted(answer.outcome for answer in answers) == [
                CANCEL_OUTCOME_CANCELLED_BEFORE_START,
                CANCEL_OUTCOME_ALREADY_FINISHED,
            ]
            assert {state(answer.execution) for answer in answers} == {"CANCELLED"}
    for one in busy:
        assert state(await ended(clients[1], one.id)) == "SUCCEEDED"


async def test_of_two_who_claim_an_execution_one_runs_it(servers: Cluster) -> None:
    """Once each, by whichever is free; the lids of a sheet that ran twice would be there twice or fail."""
    clients = [replica.client for replica in servers.replicas]
    sessions = [await ready(clients[at % 2], sheet(2, f"q{at}-")) for at in range(20)]
    submitted, lost = await race(session.submit_sheet(confirm=True) for session in sessions)
    assert not lost
    ends = await asyncio.gather(*(ended(clients[at % 2], one.id) for at, one in enumerate(submitted)))
    assert {(state(one), one.epoch) for one in ends} == {("SUCCEEDED", 1)}
    assert await servers.rows("SELECT count(*) FROM lids WHERE code LIKE 'q%'") == [40]
    assert {one.replica for one in ends} <= {replica.name for replica in servers.replicas}


async def test_commands_are_linearizable_while_servers_are_killed_and_come_back(yard: str, tmp_path: Path) -> None:
    await judge(yard, tmp_path, seed=1, commands=IN_TEST)


@pytest.mark.soak
@pytest.mark.timeout(1500)
@pytest.mark.parametrize("seed", range(2, 5))
async def test_so_are_very_many(yard: str, tmp_path: Path, seed: int) -> None:
    await judge(yard, tmp_path, seed=seed, commands=IN_SOAK)


async def judge(url: str, folder: Path, *, seed: int, commands: int) -> None:
    """Clients spread over three servers, of which one is always being killed and started again."""
    async with cluster(url, folder, 3) as servers:
        begun = asyncio.Event()
        playing = asyncio.create_task(play(servers.addresses, seed=seed, commands=commands, begun=begun))
        await begun.wait()
        kills = 0
        chance = random.Random(seed)  # an order, not a secret
        while not playing.done():
            replica = chance.choice(servers.replicas)
            await replica.kill()
            await replica.start()
            kills += 1
            await asyncio.wait([playing], timeout=0.5)
        worlds, counts = await playing
        assert kills >= 2, counts
        assert counts["repeated"], counts
        for world in worlds:
            violation = find_violation(world.recorder.history, world.start, apply, over)
            assert violation is None, violation
        print(kills, dict(counts))
