"""The services of a client that no session is needed for: the catalog is read here, and the server told of."""

from collections.abc import AsyncIterator, Sequence
from typing import Unpack

from sheetgrpc.client.calls import Caller, Reading
from sheetgrpc.client.pages import PAGE_SIZE, pages
from sheetgrpc.client.stubs import Stubs
from sheetgrpc.v1.catalog_pb2 import Catalog, Verb
from sheetgrpc.v1.catalog_service_pb2 import GetCatalogRequest, ListVerbsRequest, SearchEntitiesRequest
from sheetgrpc.v1.control_service_pb2 import GetServerInfoRequest, ServerInfo
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
    """The server itself."""

    def __init__(self, caller: Caller, stubs: Stubs) -> None:
        self._caller = caller
        self._stubs = stubs

    async def server_info(self, **options: Unpack[Reading]) -> ServerInfo:
        """What runs there, and within which limits."""
        return (await self._caller.read(self._stubs.control.GetServerInfo, GetServerInfoRequest(), options)).server_info
