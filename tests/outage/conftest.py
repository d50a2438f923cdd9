"""A PostgreSQL to do harm to, and the service on it. One loop for all: gRPC wants no second one in a process."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
import structlog
from tests.outage.clusters import Cluster, cluster, seeded
from tests.outage.proxy import Proxy, proxy
from tests.postgres import NoPostgres

from sheetgrpc.engine import closing
from sheetgrpc.store.postgres import connection, leases, store, transaction


@pytest.fixture(autouse=True, scope="session")
def _quiet() -> None:
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory(), cache_logger_on_first_use=False)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def seed() -> AsyncIterator[Path]:
    """What every PostgreSQL begins with."""
    try:
        async with seeded() as data:
            yield data
    except NoPostgres as missing:
        if os.environ.get("CI"):
            pytest.fail(f"CI tests PostgreSQL too, and {missing}", pytrace=False)
        pytest.skip(f"NOT TESTED ON POSTGRESQL: {missing}")


@pytest_asyncio.fixture(loop_scope="session")
async def database(seed: Path) -> AsyncIterator[Cluster]:
    """A PostgreSQL of the test's own."""
    async with cluster(seed) as one:
        yield one


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits for a database that says nothing are short."""
    for module in (connection, leases, store, transaction):
        monkeypatch.setattr(module, "ANSWER_SECONDS", 1.0)
    monkeypatch.setattr(connection, "_LEAVE_SECONDS", 1.0)
    monkeypatch.setattr(leases, "_ALIVE_SECONDS", 1.0)
    monkeypatch.setattr(transaction, "_ROLL_BACK_SECONDS", 1.0)
    monkeypatch.setattr(closing, "LAST_SECONDS", 2.0)


@pytest_asyncio.fixture(loop_scope="session")
async def line(database: Cluster) -> AsyncIterator[Proxy]:
    """The way to it."""
    async with proxy(database.socket) as one:
        yield one
