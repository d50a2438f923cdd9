"""Puts an engine together: settings, store, catalog held against the database, recovery still to come."""

from collections.abc import Awaitable, Mapping
from importlib import resources
from pathlib import Path

import structlog

from sheetgrpc.catalog.database import check
from sheetgrpc.catalog.loading import CatalogError, load
from sheetgrpc.catalog.model import Catalog
from sheetgrpc.clock import Draws
from sheetgrpc.config import Settings, StartError, redact
from sheetgrpc.dsl.limits import Limits
from sheetgrpc.engine.analyst import Analyst
from sheetgrpc.engine.breakers import Breakers
from sheetgrpc.engine.context import Context
from sheetgrpc.engine.engine import Engine
from sheetgrpc.engine.lifetimes import Lifetimes
from sheetgrpc.engine.presence import Presence
from sheetgrpc.engine.replies import Replies
from sheetgrpc.engine.runs import Runs
from sheetgrpc.engine.watching import Topics
from sheetgrpc.errors import Unavailable
from sheetgrpc.paths import UnsafePath, safe_join
from sheetgrpc.store.base import Store, StoreRefused
from sheetgrpc.store.opening import MEMORY_URL, open_store
from sheetgrpc.trust.loading import load_handlers

log = structlog.get_logger(__name__)

_SCHEMAS = {"sqlite": "schema.sql", "postgresql": "schema.postgres.sql"}  # of a bundled catalog


async def open_engine(settings: Settings, draws: Draws | None = None) -> Engine:
    """An engine, not started. StartError, with a message for people, if it cannot be."""
    if settings.approve and not settings.tokens:
        raise StartError(
            "the setting approve asks for a second person, and without tokens nobody knows who is who; give --tokens"
        )
    draws = draws or Draws()
    catalog, schemas = read_catalog(settings.catalog)
    handlers = load_handlers(catalog, settings.allow, settings.handlers)
    store = await _open_store(settings, draws)
    try:
        schema = schemas.get(store.about.kind, "")
        if schema:
            await store.run_script(schema)
        problems = check(catalog, await store.describe(sorted(catalog.tables)))
        if problems:
            kind = "database" if store.about.persistent else "empty database in memory"
            raise StartError(f"the {kind} does not fit the catalog:\n" + "\n".join(f"  {line}" for line in problems))
        await store.prepare(catalog, handlers)
    except BaseException:
        await store.close()
        raise
    limits = Limits(nesting=settings.max_nesting, arguments=settings.max_arguments, statements=settings.max_statements)
    presence = Presence(draws.now, shared=store.leases is not None)
    lifetimes = Lifetimes(draws, presence, settings.retention_us)
    analyst = Analyst(catalog, store, limits)
    breakers = Breakers(sorted(handlers.modules), settings.breaker_failures, settings.breaker_delay, draws.monotonic)
    leases = store.leases
    runs = Runs(shared=leases is not None)
    topics, replies = Topics(presence, leases.hint if leases is not None else None), Replies(store)
    return Engine(
        Context(
            store, catalog, settings, draws, analyst, runs, topics, presence, lifetimes, replies, handlers, breakers
        )
    )


async def _open_store(settings: Settings, draws: Draws) -> Store:
    """The database of the settings, or one in memory; whoever looks at the log learns which."""

    async def opened(url: str) -> Store:
        return await open_store(
            url,
            writer_timeout=settings.writer_timeout,
            busy_timeout=settings.busy_timeout,
            pool_size=settings.pool_size,
            query_timeout=settings.query_timeout,
            now=draws.now,
            replica=draws.draw().id,
            lease=settings.replica_lease,
        )

    found, problem = (None, "") if settings.no_persist else await _try(opened(settings.database), settings)
    if problem:
        log.error("store.fallback", problem=problem)
    store = found or await opened(MEMORY_URL)
    if not store.about.persistent:
        log.warning("store.in_memory", hint="everything is lost when the server ends")
    return store


async def _try(opening: Awaitable[Store], settings: Settings) -> tuple[Store | None, str]:
    """The store, or None and why, if one in memory may take its place; else StartError."""
    try:
        return await opening, ""
    except StoreRefused as error:
        cause: Exception = error
        problem = str(error)
    except Unavailable as error:  # with what the database itself says: whoever starts a server may know
        cause = error
        problem = f'the database "{redact(settings.database)}" cannot be opened: {error.__cause__ or error}'
    if settings.no_persist_fallback:
        return None, problem
    raise StartError(problem) from cause


def read_catalog(name: str) -> tuple[Catalog, Mapping[str, str]]:
    """A catalog by path, or a bundled one by name; a bundled one brings the SQL of its tables, by kind of database."""
    bundled = _bundled(name)
    schemas: dict[str, str] = {}
    if bundled is not None:
        text = (bundled / "catalog.yaml").read_text("utf-8")
        schemas = {kind: (bundled / file).read_text("utf-8") for kind, file in _SCHEMAS.items()}
        shown = f"{name}/catalog.yaml"
    else:
        shown = name
        try:
            text = Path(name).read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise StartError(f'the catalog "{name}" cannot be read: {error}') from error
    try:
        return load(text, shown), schemas
    except CatalogError as error:
        raise StartError("the catalog is not sound:\n" + "\n".join(f"  {line}" for line in error.problems)) from error


def _bundled(name: str) -> Path | None:
    """The folder of a bundled example; None if there is none of this name."""
    if "/" in name or name.endswith((".yaml", ".yml")):
        return None
    with resources.as_file(resources.files("sheetgrpc.examples")) as examples:
        try:
            return safe_join(examples, f"{name}/catalog.yaml").parent
        except (UnsafePath, OSError):
            return None
