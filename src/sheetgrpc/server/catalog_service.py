"""CatalogService: each method reads the request, asks the engine, writes the answer."""

from bisect import bisect_right

from sheetgrpc.engine.engine import Engine
from sheetgrpc.server.calls import Call
from sheetgrpc.server.convert import requests
from sheetgrpc.server.convert.catalogs import write_catalog, write_verb
from sheetgrpc.server.convert.form import Form
from sheetgrpc.server.convert.sheets import write_candidate
from sheetgrpc.server.paging import NAMES, read_page
from sheetgrpc.v1 import catalog_service_pb2 as pb


class CatalogService:
    """The catalog, and entities found by text."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._verb_names = sorted(engine.catalog.verbs)

    async def get_catalog(self, _request: pb.GetCatalogRequest, _call: Call) -> pb.GetCatalogResponse:
        """Gets the catalog."""
        return pb.GetCatalogResponse(catalog=write_catalog(self._engine.catalog))

    async def list_verbs(self, request: pb.ListVerbsRequest, call: Call) -> pb.ListVerbsResponse:
        """Lists verbs."""
        form = Form()
        page = read_page(form, request, NAMES, call.max_send_bytes)
        form.done()
        start = bisect_right(self._verb_names, page.after or "")
        found = [self._engine.catalog.verbs[name] for name in self._verb_names[start : start + page.wanted]]
        verbs, token = page.write(found, write_verb, lambda _, verb: verb.name)
        return pb.ListVerbsResponse(verbs=verbs, next_page_token=token)

    async def search_entities(self, request: pb.SearchEntitiesRequest, _call: Call) -> pb.SearchEntitiesResponse:
        """Searches entities."""
        form = Form()
        wanted = requests.read_search(form, request)
        form.done()
        candidates = await self._engine.search_entities(*wanted)
        return pb.SearchEntitiesResponse(candidates=map(write_candidate, candidates))
