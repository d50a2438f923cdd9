"""Several servers on one database, none of which fails: any of them answers, and a run is watched on every one."""

import asyncio
from datetime import timedelta
from pathlib import Path

from tests.replicas.cluster import CRATES, SECONDS, cluster, ended, held, ready, sheet, state

from sheetgrpc.client import connect
from sheetgrpc.client.streams import Finished, Snapshot
from sheetgrpc.v1.execution_service_pb2 import CANCEL_OUTCOME_ALREADY_FINISHED, CANCEL_OUTCOME_CANCEL_REQUESTED


async def test_servers_that_start_at_once_on_an_empty_database_agree(bare: str, tmp_path: Path) -> None:
    """One migrates, the others wait for it."""
    async with cluster(bare, tmp_path) as servers:
        infos = [await replica.client.control.server_info() for replica in servers.replicas]
        assert len({info.incarnation for info in infos}) == 1
        assert len({info.replica for info in infos}) == 3
        assert await servers.rows("SELECT count(*) FROM sheetgrpc.migrations WHERE version = 3") == [1]


async def test_a_session_is_led_through_all_of_its_states_by_several_servers(yard: str, tmp_path: Path) -> None:
    """Any replica takes any call; what one has kept of a sheet is not what another has made of it since."""
    async with cluster(yard, tmp_path) as servers:
        first, second, third = (replica.client for replica in servers.replicas)
        done = await ended(
            first, (await (await ready(first, '(crate.ensure :code "known")')).submit_sheet(confirm=True)).id
        )
        assert state(done) == "SUCCEEDED"
        session = await first.sessions.create()
        await (await second.sessions.get(session.id)).import_sheet('(lid.ensure :code "l" :crate <kno>)')
        parsed = await (await first.sessions.get(session.id)).parse_sheet()
        (reference,) = parsed.unresolved_references
        resolved = await (await second.sessions.get(session.id)).resolve_reference(reference.ref_id, "known")
        assert not resolved.unresolved_references
        for replica in servers.replicas:  # which of them runs it is nobody's choice
            assert (await replica.client.sessions.get(session.id)).now.unresolved_count == 0
        execution = await (await first.sessions.get(session.id)).submit_sheet(confirm=True)
        assert state(await ended(third, execution.id)) == "SUCCEEDED"
        assert await servers.rows("SELECT crate FROM lids") == ["known"]


async def test_a_run_is_watched_and_read_on_every_server(yard: str, tmp_path: Path) -> None:
    async with cluster(yard, tmp_path) as servers, held(yard, CRATES) as hold:
        execution = await (await ready(servers.replicas[0].client, sheet(20))).submit_sheet(confirm=True)
        await hold.wanted()
        streams = [replica.client.executions.watch(execution.id) for replica in servers.replicas]
        for stream in streams:
            opening = await anext(stream)
            assert isinstance(opening, Snapshot)
        running = [await replica.client.executions.get(execution.id) for replica in servers.replicas]
        assert {state(one) for one in running} == {"RUNNING"}
        assert len({one.replica for one in running}) == 1
        await hold.let_go()
        async with asyncio.timeout(SECONDS):
            told = [[type(update).__name__ async for update in stream] for stream in streams]
        assert [names[-1] for names in told] == ["Finished"] * 3
        assert all("PhaseCompleted" in names or "Snapshot" in names for names in told), told
        assert len({str(await replica.client.executions.get(execution.id)) for replica in servers.replicas}) == 1


async def test_an_execute_whose_run_is_elsewhere_streams_to_its_end(yard: str, tmp_path: Path) -> None:
    """The server that took it is busy with another run; the next free one claims it."""
    async with cluster(yard, tmp_path, count=2) as servers, held(yard, CRATES) as hold:
        one, two = servers.replicas
        blocked = await (await ready(one.client, sheet(1, "first"))).submit_sheet(confirm=True)
        await hold.wanted()
        busy = servers.named((await one.client.executions.get(blocked.id)).replica)
        session = await ready(busy.client, '(other.ensure :code "second")')
        stream = session.execute_sheet(confirm=True)
        first = await anext(stream)
        assert isinstance(first, Snapshot)
        while not (row := await busy.client.executions.get(first.execution.id)).replica:
            pass
        assert row.replica == servers.other(busy).name
        await hold.let_go()
        async with asyncio.timeout(SECONDS):
            updates = [update async for update in stream]
        assert isinstance(updates[-1], Finished)
        assert state(updates[-1].execution) == "SUCCEEDED"
        assert state(await ended(two.client, blocked.id)) == "SUCCEEDED"


async def test_a_session_is_watched_on_every_server(yard: str, tmp_path: Path) -> None:
    async with cluster(yard, tmp_path) as servers:
        session = await servers.replicas[0].client.sessions.create()
        streams = [replica.client.sessions.watch(session.id) for replica in servers.replicas]
        for stream in streams:
            await anext(stream)
        for number, replica in enumerate(servers.replicas):
            await (await replica.client.sessions.get(session.id)).update(name=f"name {number}")
            async with asyncio.timeout(SECONDS):
                assert {(await anext(stream)).type for stream in streams} == {"SessionUpdated"}


async def test_a_cancel_reaches_a_run_on_another_server(yard: str, tmp_path: Path) -> None:
    async with cluster(yard, tmp_path) as servers, held(yard, CRATES) as hold:
        execution = await (await ready(servers.replicas[0].client, sheet(3))).submit_sheet(confirm=True)
        await hold.wanted()
        owner = servers.named((await servers.replicas[0].client.executions.get(execution.id)).replica)
        other = servers.other(owner)
        asked = await other.client.executions.cancel(execution.id, wait=timedelta(seconds=SECONDS), request_id="once")
        assert (asked.outcome, state(asked.execution)) == (CANCEL_OUTCOME_CANCEL_REQUESTED, "CANCELLED")
        again = await servers.other(owner, other).client.executions.cancel(execution.id, request_id="other")
        assert again.outcome == CANCEL_OUTCOME_ALREADY_FINISHED
        assert await servers.rows("SELECT count(*) FROM crates") == [0]
        repeated = await owner.client.executions.cancel(
            execution.id, wait=timedelta(seconds=SECONDS), request_id="once"
        )
        assert repeated == asked


async def test_a_client_of_several_servers_goes_on_when_one_of_them_is_restarted(yard: str, tmp_path: Path) -> None:
    async with cluster(yard, tmp_path) as servers, connect(servers.addresses) as client:
        session = await client.sessions.create()
        stream = client.sessions.watch(session.id)
        await anext(stream)
        told = []
        for number, replica in enumerate(servers.replicas):
            assert await replica.terminate() == 0
            await session.update(name=f"name {number}")
            await replica.start()
            async with asyncio.timeout(SECONDS):
                told.append((await anext(stream)).sequence)
        assert told == [2, 3, 4]
