"""A database for each test of several servers."""

from collections.abc import AsyncIterator

import pytest
from tests.postgres import Server, migrate
from tests.replicas.cluster import YARD


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
