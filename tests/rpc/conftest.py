"""Servers for the tests, on every backend: one shared by those that leave it as it is, and fresh ones.

All of them run on one loop: gRPC wants no second one in a process.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import pytest
import pytest_asyncio
import structlog
from tests.postgres import Server
from tests.rpc.serving import Running, run_server

from sheetgrpc.config import Settings
from sheetgrpc.engine.opening import open_engine

StartServer: TypeAlias = Callable[..., Awaitable[Running]]
BACKENDS = ["sqlite", "postgres"]


@pytest.fixture(autouse=True, scope="session")
def _quiet() -> None:
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory(), cache_logger_on_first_use=False)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The SQLite file of this test's servers, where a test is about that."""
    return tmp_path / "test.db"


@pytest.fixture(params=BACKENDS)
def url(request: pytest.FixtureRequest, file: Path) -> str:
    """Where this test's servers have their tables."""
    return str(request.getfixturevalue("bundled_url")) if request.param == "postgres" else f"sqlite:///{file}"


@pytest.fixture
async def bundled_url(postgres_server: Server) -> AsyncIterator[str]:
    """A PostgreSQL database with our tables and the bundled example's."""
    url = await postgres_server.fresh(build=_bundle)
    yield url
    await postgres_server.drop(url)


@pytest.fixture(scope="session", params=BACKENDS)
def shared_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the shared server has its tables."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path_factory.mktemp('shared')}/test.db"
        return
    server: Server = request.getfixturevalue("postgres_server")
    url = asyncio.run(server.fresh(build=_bundle))
    yield url
    asyncio.run(server.drop(url))


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def server(shared_url: str) -> AsyncIterator[Running]:
    async with run_server(shared_url) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def start_server(url: str) -> AsyncIterator[StartServer]:
    async with AsyncExitStack() as stack:
        yield partial(_start, stack, url)


@pytest_asyncio.fixture(loop_scope="session")
async def start_on_file(file: Path) -> AsyncIterator[StartServer]:
    """As `start_server`, on the SQLite file."""
    async with AsyncExitStack() as stack:
        yield partial(_start, stack, f"sqlite:///{file}")


async def _start(stack: AsyncExitStack, url: str, **settings: Any) -> Running:
    return await stack.enter_async_context(run_server(url, **settings))


async def _bundle(url: str) -> None:
    await (await open_engine(Settings(database=url))).stop()
