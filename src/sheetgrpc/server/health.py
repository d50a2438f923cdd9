"""grpc.health.v1: Check, Watch and List, for the server ("") and for each of its services.

SERVING means that the database answers too: whoever asks has it asked. A watch asks again now and then.

The library's own servicer has no List, and its watches never end by themselves, so a shutdown would wait for them.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress

import grpc
from grpc_health.v1 import health_pb2

from sheetgrpc.errors import Reason, Unavailable
from sheetgrpc.server.calls import Call

SERVICE = health_pb2.DESCRIPTOR.services_by_name["Health"]

_SERVING = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
_UNKNOWN = health_pb2.HealthCheckResponse.SERVICE_UNKNOWN


class Health:
    """All services share one status: they live and stop together."""

    def __init__(self, services: Iterable[str], probe: Callable[[], Awaitable[None]], *, every: float) -> None:
        """`probe` raises Unavailable while the database does not answer; a watch calls it each `every` seconds."""
        self._probe = probe
        self._every = every
        self._names = frozenset(["", *services])
        self._status = _NOT_SERVING
        self._changed: asyncio.Future[None] | None = None
        self._over = False

    def serve(self) -> None:
        """From now on everything is SERVING."""
        self._set(_SERVING)

    def stop(self) -> None:
        """From now on everything is NOT_SERVING, for good; watches are told so and end."""
        self._over = True
        self._set(_NOT_SERVING)

    async def check(self, request: health_pb2.HealthCheckRequest, call: Call) -> health_pb2.HealthCheckResponse:
        """The status of a service; NOT_FOUND, as the protocol has it, for one that is not here."""
        if request.service not in self._names:
            await call.context.abort(grpc.StatusCode.NOT_FOUND, "there is no such service")
        return health_pb2.HealthCheckResponse(status=await self._now())

    async def list(self, _request: health_pb2.HealthListRequest, _call: Call) -> health_pb2.HealthListResponse:
        """The status of every service."""
        status = health_pb2.HealthCheckResponse(status=await self._now())
        return health_pb2.HealthListResponse(statuses=dict.fromkeys(self._names, status))

    async def watch(self, request: health_pb2.HealthCheckRequest, call: Call) -> None:
        """The status of a service, now and whenever it changes."""
        told = None
        while True:
            status = await self._now() if request.service in self._names else _UNKNOWN
            if status != told:
                await call.write(health_pb2.HealthCheckResponse(status=status).SerializeToString())
                told = status
            elif self._over:
                raise Unavailable(Reason.SHUTTING_DOWN, "the server is shutting down; watch again elsewhere or later")
            else:
                await self._change()

    async def _now(self) -> "health_pb2.HealthCheckResponse.ServingStatus":
        if self._status == _SERVING:
            try:
                await self._probe()
            except Unavailable:
                return _NOT_SERVING
        return self._status

    async def _change(self) -> None:
        """Waits for another status, or until it is time to look."""
        if self._changed is None:
            self._changed = asyncio.get_running_loop().create_future()
        # Shielded, because one watch that is cancelled must not take the future from the others.
        with suppress(TimeoutError):
            async with asyncio.timeout(self._every):
                await asyncio.shield(self._changed)

    def _set(self, status: "health_pb2.HealthCheckResponse.ServingStatus") -> None:
        self._status = status
        changed, self._changed = self._changed, None
        if changed is not None:
            changed.set_result(None)
