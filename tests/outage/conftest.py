"""A PostgreSQL to do harm to, and the service on it. One loop for all: gRPC wants no second one in a process."""

import os
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
import structlog
from tests.outage.clusters import Cluster, cluster
from tests.outage.proxy import Proxy, proxy
from tests.postgres import NoPostgres


@pytest.fixture(autouse=True, scope="session")
def _quiet() -> None:
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory(), cache_logger_on_first_use=False)


@pytest_asyncio.fixture(loop_scope="session")
async def database() -> AsyncIterator[Cluster]:
    """A PostgreSQL of the test's own."""
    try:
        async with cluster() as one:
            yield one
    except NoPostgres as missing:
        if os.environ.get("CI"):
            pytest.fail(f"CI tests PostgreSQL too, and {missing}", pytrace=False)
        pytest.skip(f"NOT TESTED ON POSTGRESQL: {missing}")


@pytest_asyncio.fixture(loop_scope="session")
async def line(database: Cluster) -> AsyncIterator[Proxy]:
    """The way to it."""
    async with proxy(database.socket) as one:
        yield one
