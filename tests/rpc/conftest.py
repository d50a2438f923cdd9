"""Servers for the tests: one shared by those that leave it as it is, and fresh ones.

All of them run on one loop: gRPC wants no second one in a process.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, TypeAlias

import pytest
import pytest_asyncio
import structlog
from tests.rpc.serving import Running, run_server

StartServer: TypeAlias = Callable[..., Awaitable[Running]]


@pytest.fixture(autouse=True, scope="session")
def _quiet() -> None:
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory(), cache_logger_on_first_use=False)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    async with run_server(tmp_path_factory.mktemp("shared")) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def start_server(tmp_path: Path) -> AsyncIterator[StartServer]:
    async with AsyncExitStack() as stack:

        async def start(**settings: Any) -> Running:
            return await stack.enter_async_context(run_server(tmp_path, **settings))

        yield start
