"""A thousand watchers of one session, some of which read nothing: who reads sees each event once, who does not holds
nothing.
"""

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import grpc
import pytest
from tests.rpc.conftest import StartServer
from tests.rpc.guarantees import Connection, check
from tests.rpc.serving import Running
from tests.rpc.test_details import create, events, update
from tests.rpc.test_watching import close

from sheetgrpc.engine.watching import Logged
from sheetgrpc.v1.session_service_pb2 import WatchSessionRequest, WatchSessionResponse

pytestmark = pytest.mark.asyncio(loop_scope="session")

LIVE, STALLED = 1000, 50
METHOD = "/sheetgrpc.v1.SessionService/WatchSession"
KEPT = 64
SMALL_WINDOW = [("grpc.http2.lookahead_bytes", 1024), ("grpc.http2.bdp_probe", 0)]


class Crowd:
    """Watchers of a session on several connections; a message that many are told is parsed once."""

    def __init__(self, server: Running, session: str, stack: AsyncExitStack) -> None:
        self._address = server.server.address
        self._request = WatchSessionRequest(session=session).SerializeToString()
        self._stack = stack
        self.messages: dict[bytes, WatchSessionResponse] = {}

    async def open(self, count: int, options: list[tuple[str, int]]) -> list[Any]:
        """Streams that are open; nothing is read from them yet."""
        calls = []
        for first in range(0, count, 250):
            own = [*options, ("grpc.use_local_subchannel_pool", 1)]
            channel = await self._stack.enter_async_context(grpc.aio.insecure_channel(self._address, options=own))
            calls += [channel.unary_stream(METHOD)(self._request) for _ in range(min(250, count - first))]
        for call in calls:
            await call.initial_metadata()
        return calls

    async def read(self, call: Any) -> Connection:
        """All that the stream tells, to its end."""
        connection = Connection(0)
        async for raw in call:
            message = self.messages.setdefault(raw, WatchSessionResponse())
            if not message.ByteSize():
                message.ParseFromString(raw)
            connection.messages.append(message)
        assert await call.code() is grpc.StatusCode.OK
        return connection


@asynccontextmanager
async def crowd(server: Running, session: str) -> AsyncIterator[Crowd]:
    async with AsyncExitStack() as stack:
        yield Crowd(server, session, stack)


def alive() -> int:
    """Events that somebody in this process holds."""
    return sum(type(one) is Logged for one in gc.get_objects())


@pytest.mark.parametrize("written", [12, pytest.param(300, marks=[pytest.mark.soak, pytest.mark.timeout(300)])])
async def test_a_thousand_watchers_see_each_event_once_and_stalled_ones_hold_nothing(
    start_server: StartServer, written: int
) -> None:
    server = await start_server()
    session = (await create(server)).id
    async with crowd(server, session) as watchers:
        stalled = await watchers.open(STALLED, SMALL_WINDOW)
        readers = [asyncio.create_task(watchers.read(call)) for call in await watchers.open(LIVE, [])]
        held = 0
        for at in range(written):
            await update(server, session, metadata={"text": f"{at}" + "x" * 2_000})
            held = max(held, alive()) if at % 10 == 0 else held
        version = await close(server, session)
        recordings = await asyncio.gather(*readers)
        log = await events(server, session, page_size=1000)
        assert len(log) == version
        assert [found for one in recordings if (found := check([one], log, set(range(1, version + 1))))] == []
        assert len(watchers.messages) == version + sum(one.HasField("bookmark") for one in watchers.messages.values())
        assert not any(call.done() for call in stalled)  # the server still waits to send them more
        assert max(held, alive()) <= KEPT + STALLED
        for call in stalled:
            call.cancel()
