"""Engines for the tests."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import structlog
from tests.engine.driving import Driver, drive


@pytest.fixture(autouse=True, scope="session")
def _quiet() -> None:
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory(), cache_logger_on_first_use=False)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "fleet.db"


@pytest.fixture
async def fleet(path: Path) -> AsyncIterator[Driver]:
    async with drive(path) as driver:
        yield driver
