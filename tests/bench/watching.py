"""The watchers of the bench, as a process of their own: `python -m tests.bench.watching ADDRESS SESSION LIVE STALLED`.

Prints `ready` once every stream is open, then answers `told` on stdin: how many messages the live watchers have had. It
ends as soon as one is not the next of its stream. A stalled watcher opens its stream and reads nothing, with a small
window, so that the server cannot send on.
"""

import asyncio
import os
import sys

os.environ.setdefault("GRPC_VERBOSITY", "ERROR")  # before grpc: streams cut at the end are no news

import grpc
from tests.bench.serving import commands, say

from sheetgrpc.v1 import session_service_pb2 as session_pb

_METHOD = "/sheetgrpc.v1.SessionService/WatchSession"
_STREAMS_A_CHANNEL = 250
_LIVE = [("grpc.use_local_subchannel_pool", 1)]
_SMALL = [*_LIVE, ("grpc.http2.lookahead_bytes", 1024), ("grpc.http2.bdp_probe", 0)]


class Watchers:
    """Open streams of one session, and how far each of them is."""

    def __init__(self, address: str, request: bytes) -> None:
        self._address = address
        self._request = request
        self.places: list[int] = []
        self._moved = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def open(self, live: int, stalled: int) -> None:
        """Opens the streams; the live ones have told the first event then."""
        self.places = [0] * live
        channel = self._channel(_LIVE)
        for at in range(live):
            if at and at % _STREAMS_A_CHANNEL == 0:
                channel = self._channel(_LIVE)
            call = channel.unary_stream(_METHOD)(self._request)
            self._tasks.append(asyncio.create_task(self._read(at, call)))
        channel = self._channel(_SMALL)
        self.stalled = [channel.unary_stream(_METHOD)(self._request) for _ in range(stalled)]
        for call in self.stalled:
            await call.initial_metadata()
        await self.reach(1)

    async def reach(self, sequence: int) -> None:
        """Waits until every live watcher has this event."""
        while min(self.places) < sequence:
            self._moved.clear()
            await self._moved.wait()

    def _channel(self, options: list[tuple[str, int]]) -> grpc.aio.Channel:
        return grpc.aio.insecure_channel(self._address, options=options)

    async def _read(self, at: int, call: grpc.aio.UnaryStreamCall) -> None:  # type: ignore[type-arg]
        async for raw in call:
            event = session_pb.WatchSessionResponse.FromString(raw).event
            if not event.sequence:
                continue
            if event.sequence != self.places[at] + 1:
                raise SystemExit(f"a watch told {event.sequence} after {self.places[at]}")
            self.places[at] = event.sequence
            self._moved.set()
        raise SystemExit("a watch ended")


async def main(address: str, session: str, live: int, stalled: int) -> None:
    watchers = Watchers(address, session_pb.WatchSessionRequest(session=session).SerializeToString())
    await watchers.open(live, stalled)
    say("ready")
    async for words in commands():
        if words == ["told"]:
            say(str(sum(watchers.places)))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
