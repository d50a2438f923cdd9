"""Puts an engine together: settings, store, catalog held against the database, recovery still to come."""

from importlib import resources
from pathlib import Path

from sheetgrpc.catalog.database import check
from sheetgrpc.catalog.loading import CatalogError, load
from sheetgrpc.catalog.model import Catalog
from sheetgrpc.clock import Draws
from sheetgrpc.config import Settings, StartError
from sheetgrpc.dsl.limits import Limits
from sheetgrpc.engine.analyst import Analyst
from sheetgrpc.engine.context import Context
from sheetgrpc.engine.engine import Engine
from sheetgrpc.engine.runs import Runs
from sheetgrpc.engine.watching import Topics
from sheetgrpc.errors import Unavailable
from sheetgrpc.store.base import StoreRefused
from sheetgrpc.store.opening import open_store


async def open_engine(settings: Settings, draws: Draws | None = None) -> Engine:
    """An engine, not started. StartError, with a message for people, if it cannot be."""
    draws = draws or Draws()
    catalog, schema = read_catalog(settings.catalog, settings.database)
    try:
        store = await open_store(
            settings.database,
            writer_timeout=settings.writer_timeout,
            busy_timeout=settings.busy_timeout,
            pool_size=settings.pool_size,
            statement_timeout=settings.statement_timeout,
            now=draws.now,
        )
    except (StoreRefused, Unavailable) as error:
        raise StartError(str(error)) from error
    try:
        if schema:
            await store.run_script(schema)
        tables = {entity.table for entity in catalog.entities.values()} | {
            verb.table for verb in catalog.verbs.values()
        }
        problems = check(catalog, await store.describe(sorted(tables)))
        if problems:
            raise StartError("the database does not fit the catalog:\n" + "\n".join(f"  {line}" for line in problems))
        await store.prepare(catalog)
    except BaseException:
        await store.close()
        raise
    limits = Limits(nesting=settings.max_nesting, arguments=settings.max_arguments, statements=settings.max_statements)
    return Engine(Context(store, catalog, settings, draws, Analyst(catalog, store, limits), Runs(), Topics()))


def read_catalog(name: str, database: str = "sqlite:") -> tuple[Catalog, str]:
    """A catalog by path, or a bundled one by name; a bundled one brings the SQL of its own tables for that database."""
    bundled = resources.files("sheetgrpc.examples") / name
    if "/" not in name and not name.endswith((".yaml", ".yml")) and (bundled / "catalog.yaml").is_file():
        tables = "schema.sql" if database.startswith("sqlite:") else "schema.postgres.sql"
        text, schema = (bundled / "catalog.yaml").read_text("utf-8"), (bundled / tables).read_text("utf-8")
        shown = f"{name}/catalog.yaml"
    else:
        shown, schema = name, ""
        try:
            text = Path(name).read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise StartError(f'the catalog "{name}" cannot be read: {error}') from error
    try:
        return load(text, shown), schema
    except CatalogError as error:
        raise StartError("the catalog is not sound:\n" + "\n".join(f"  {line}" for line in error.problems)) from error
