"""The services of a client that no session is needed for: the catalog is read here, and the server told of."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Unpack

from sheetgrpc.client.calls import Caller, Creating, Reading
from sheetgrpc.client.pages import PAGE_SIZE, pages
from sheetgrpc.client.stubs import Stubs
from sheetgrpc.client.words import QueuePause
from sheetgrpc.v1.catalog_pb2 import Catalog, Verb
from sheetgrpc.v1.catalog_service_pb2 import GetCatalogRequest, ListVerbsRequest, SearchEntitiesRequest
from sheetgrpc.v1.control_service_pb2 import (
    GetQueueStatsRequest,
    GetServerInfoRequest,
    PauseQueueRequest,
    PingRequest,
    Queue,
    QueueMode,
    QueueStats,
    ResumeQueueRequest,
    ServerInfo,
)
from sheetgrpc.v1.reference_pb2 import Candidate


class CatalogReader:
    """The catalog, and entities found by text."""

    def __init__(self, caller: Caller, stubs: Stubs) -> None:
        self._caller = caller
        self._stubs = stubs

    async def get(self, **options: Unpack[Reading]) -> Catalog:
        """The catalog's source and entity types."""
        return (await self._caller.read(self._stubs.catalog.GetCatalog, GetCatalogRequest(), options)).catalog

    def verbs(self, *, page_size: int = PAGE_SIZE, **options: Unpack[Reading]) -> AsyncIterator[Verb]:
        """The verbs by name."""
        request = ListVerbsRequest(page_size=page_size)

        async def fetch(token: str) -> tuple[Sequence[Verb], str]:
            request.page_token = token
            answer = await self._caller.read(self._stubs.catalog.ListVerbs, request, options)
            return answer.verbs, answer.next_page_token

        return pages(fetch)

    async def search(
        self, entity_type: str, query: str, *, limit: int = 0, **options: Unpack[Reading]
    ) -> Sequence[Candidate]:
        """Entities that a text may mean, best first; 20 of them unless `limit` says otherwise."""
        request = SearchEntitiesRequest(entity_type=entity_type, query=query, limit=limit)
        return (await self._caller.read(self._stubs.catalog.SearchEntities, request, options)).candidates


class Control:
    """The server itself, and its queue."""

    def __init__(self, caller: Caller, stubs: Stubs) -> None:
        self._caller = caller
        self._stubs = stubs

    async def server_info(self, **options: Unpack[Reading]) -> ServerInfo:
        """What runs there, and within which limits."""
        return (await self._caller.read(self._stubs.control.GetServerInfo, GetServerInfoRequest(), options)).server_info

    async def ping(self, **options: Unpack[Reading]) -> datetime:
        """The server's clock, as long as it answers."""
        answer = await self._caller.read(self._stubs.control.Ping, PingRequest(), options)
        return answer.time.ToDatetime(UTC)

    async def queue_stats(self, **options: Unpack[Reading]) -> QueueStats:
        """The queue in figures."""
        return (await self._caller.read(self._stubs.control.GetQueueStats, GetQueueStatsRequest(), options)).queue_stats

    async def pause_queue(self, mode: QueuePause = "HOLD", *, module: str = "", **options: Unpack[Creating]) -> Queue:
        """Pause the queue of every server of the database; with `module`, in this server, what calls into that alone.

        HOLD begins nothing more, DRAIN takes nothing in, REJECT neither.
        """
        request = PauseQueueRequest(mode=QueueMode.Value(f"QUEUE_MODE_{mode}"), module=module)
        return (await self._caller.command(self._stubs.control.PauseQueue, request, options)).response.queue

    async def resume_queue(self, *, module: str = "", **options: Unpack[Creating]) -> Queue:
        """Let the queue run again; with `module`, in this server, what calls into that alone."""
        request = ResumeQueueRequest(module=module)
        return (await self._caller.command(self._stubs.control.ResumeQueue, request, options)).response.queue
