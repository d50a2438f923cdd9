"""Leases, renewals, ends and resets over the wire, and what the SDK and the guarantees make of them."""

import asyncio
import random
from datetime import timedelta
from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from tests.rpc.conftest import StartServer
from tests.rpc.guarantees import check, record
from tests.rpc.serving import Running, refused
from tests.rpc.test_details import COMPLETED, create, events, update

from sheetgrpc.client import Reset, connect
from sheetgrpc.clock import wall_clock
from sheetgrpc.engine.trimming import Trimmer
from sheetgrpc.v1 import session_pb2
from sheetgrpc.v1.control_service_pb2 import GetServerInfoRequest
from sheetgrpc.v1.session_service_pb2 import (
    CloseSessionRequest,
    CreateSessionRequest,
    GetSessionRequest,
    ListSessionEventsRequest,
    RenewSessionRequest,
    WatchSessionRequest,
)

pytestmark = pytest.mark.asyncio(loop_scope="session")

WEEK = 7 * 86_400
EXPIRED = session_pb2.SESSION_LIFECYCLE_EXPIRED


def watch(server: Running, session: str, after: int, incarnation: str = "") -> Any:
    request = WatchSessionRequest(session=session, after_sequence=after, incarnation=incarnation)
    return server.sessions.WatchSession(request)


async def trim(server: Running, session: str, keep: int) -> int:
    """Takes old events off a log, as the sweeper would one day."""
    return await Trimmer(server.engine.store, keep).trim(session, wall_clock())


async def test_a_lease_is_told_with_the_time_it_runs_out(server: Running) -> None:
    session = await create(server, lease=Duration(seconds=90, nanos=500_000_000))
    assert session.lease.ToTimedelta() == timedelta(seconds=90.5)
    assert session.expire_time.ToDatetime() - session.create_time.ToDatetime() == timedelta(seconds=90.5)
    assert "RenewSession" in session.allowed_actions


@pytest.mark.parametrize(
    "lease",
    [Duration(), Duration(seconds=-1), Duration(seconds=1, nanos=-1), Duration(seconds=WEEK, nanos=1000)],
    ids=["zero", "negative", "contradictory", "longer than sessions are kept"],
)
async def test_a_lease_out_of_bounds_is_refused(server: Running, lease: Duration) -> None:
    refusal = await refused(server.sessions.CreateSession(CreateSessionRequest(lease=lease)))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")
    assert refusal.details["BadRequest"].field_violations[0].field == "lease"


@pytest.mark.parametrize("lease", [Duration(nanos=1_000_000), Duration(seconds=WEEK)])
async def test_a_lease_at_its_bounds_is_taken(server: Running, lease: Duration) -> None:
    assert (await create(server, lease=lease)).lease == lease


async def test_the_longest_lease_is_told(start_server: StartServer) -> None:
    """A2."""
    server = await start_server(retention_days=0.5)
    info = (await server.control.GetServerInfo(GetServerInfoRequest())).server_info
    assert info.limits.session_retention.seconds == 43_200


async def test_a_renewal_moves_the_end_and_nothing_else(server: Running) -> None:
    session = await create(server, lease=Duration(seconds=90))
    renewed = (await server.sessions.RenewSession(RenewSessionRequest(session=session.id))).session
    assert renewed.expire_time.ToDatetime() > session.expire_time.ToDatetime()
    renewed.expire_time.CopyFrom(session.expire_time)
    assert renewed == session


async def test_an_expired_session_is_a_tombstone_that_refuses_every_change(server: Running) -> None:
    """D-33: readable; its end is told, and when it will be deleted."""
    session = await create(server, lease=Duration(nanos=1_000_000))
    while (
        now := (await server.sessions.GetSession(GetSessionRequest(session=session.id))).session
    ).lifecycle != EXPIRED:
        assert now.lifecycle == session_pb2.SESSION_LIFECYCLE_PENDING
    assert now.expire_time.ToDatetime() - now.end_time.ToDatetime() == timedelta(days=7)
    for call in (
        server.sessions.RenewSession(RenewSessionRequest(session=session.id)),
        server.sessions.CloseSession(CloseSessionRequest(session=session.id, outcome=COMPLETED)),
    ):
        refusal = await refused(call)
        assert (refusal.code, refusal.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "SESSION_EXPIRED")
    assert [event.type for event in await events(server, session.id)] == ["SessionCreated", "SessionExpired"]


async def test_a_watch_beyond_the_log_begins_with_the_session_as_it_is_and_goes_on(server: Running) -> None:
    """A restored store's log may be shorter than what its clients have seen."""
    session = await create(server)
    call = watch(server, session.id, 7)
    reset = (await call.read()).reset
    assert (reset.sequence, reset.session.id, reset.session.version) == (1, session.id, 1)
    await update(server, session.id, name="x")
    assert (await call.read()).event.sequence == 2
    call.cancel()


async def test_a_watch_of_another_incarnation_begins_anew(server: Running) -> None:
    session = await create(server)
    incarnation = server.engine.store.about.incarnation
    for known, first in ((incarnation, "event"), ("", "event"), ("of-another-store", "reset")):
        call = watch(server, session.id, 0, known)
        assert (await call.read()).WhichOneof("update") == first
        call.cancel()


async def test_a_trimmed_log_is_listed_from_the_oldest_event_that_is_kept(server: Running) -> None:
    session = await create(server)
    for at in range(9):
        await update(server, session.id, name=f"n{at}")
    assert await trim(server, session.id, 4) == 6
    now = (await server.sessions.GetSession(GetSessionRequest(session=session.id))).session
    assert (now.version, now.event_count, now.oldest_sequence) == (10, 4, 7)
    answer = await server.sessions.ListSessionEvents(ListSessionEventsRequest(session=session.id, after_sequence=2))
    assert [event.sequence for event in answer.events] == [7, 8, 9, 10]
    call = watch(server, session.id, 0)
    assert (await call.read()).reset.sequence == 10
    call.cancel()


@pytest.mark.parametrize("seed", range(3))
async def test_the_guarantees_hold_while_the_log_is_trimmed(start_server: StartServer, seed: int) -> None:
    """D-35."""
    server = await start_server(heartbeat_interval=0.02)
    session = (await create(server)).id

    async def write() -> None:
        for at in range(60):
            await update(server, session, name=f"n{at}")
            if at % 7 == seed:
                await trim(server, session, 3)

    async def seen(_: object) -> None:
        await asyncio.sleep(0)

    readers = [asyncio.create_task(record(server, session, random.Random(f"{seed} {at}"), seen)) for at in range(4)]
    await write()
    await server.sessions.CloseSession(CloseSessionRequest(session=session, outcome=COMPLETED))
    log = await events(server, session, page_size=1000)
    late = await record(server, session, random.Random(seed), seen)
    assert late[0].messages[0].HasField("reset")
    for recording in [*await asyncio.gather(*readers), late]:
        assert check(recording, log, set(range(100))) == []


async def test_the_sdk_renews_and_is_told_of_resets(server: Running) -> None:
    async with connect(server.server.address) as client:
        session = await client.sessions.create("n", lease=timedelta(seconds=90))
        before = session.now.expire_time.ToDatetime()
        await session.renew()
        assert session.now.expire_time.ToDatetime() > before
        async with client.sessions.watch(session.id, after_sequence=9, incarnation="of-another-store") as watched:
            first = await anext(watched)
            assert isinstance(first, Reset)
            assert (first.sequence, watched.sequence) == (1, 1)
            await session.close()
            assert [event.sequence async for event in watched] == [2]
