"""Engines for the tests."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import structlog
from tests.engine.driving import Driver, drive
from tests.engine.places import HERE, Place
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


@pytest.fixture
async def fleet_url(postgres_server: Server) -> AsyncIterator[str]:
    """The URL of a database with our tables and the user's."""
    url = await postgres_server.fresh((HERE / "fleet.postgres.sql").read_text(), migrate)
    yield url
    await postgres_server.drop(url)


@pytest.fixture
async def fleet(path: Place) -> AsyncIterator[Driver]:
    async with drive(path) as driver:
        yield driver
