"""Databases for tests of several servers, and two servers that tests share which leave them up."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from tests.postgres import Server, migrate
from tests.replicas.cluster import YARD, Cluster, cluster


@pytest.fixture
async def yard(postgres_server: Server) -> AsyncIterator[str]:
    """The URL of a database with our tables and the user's."""
    url = await postgres_server.fresh(YARD, migrate)
    yield url
    await postgres_server.drop(url)


@pytest.fixture
async def bare(postgres_server: Server) -> AsyncIterator[str]:
    """The URL of a database with the user's tables alone."""
    url = await postgres_server.fresh(YARD)
    yield url
    await postgres_server.drop(url)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def _shared(postgres_server: Server, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Cluster]:
    url = await postgres_server.fresh(YARD, migrate)
    async with cluster(url, tmp_path_factory.mktemp("shared"), 2) as started:
        yield started
    await postgres_server.drop(url)


@pytest_asyncio.fixture(loop_scope="session")
async def servers(_shared: Cluster) -> Cluster:
    """The shared servers, up whatever a test before has left."""
    for replica in _shared.replicas:
        await replica.ensure()
    return _shared
