"""The stores that the contract suite runs on."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.store.making import Commit, Made

from sheetgrpc.store.base import Store
from sheetgrpc.store.opening import open_store
from sheetgrpc.store.records import Changes


@pytest.fixture
def made() -> Made:
    return Made()


@pytest.fixture(params=["file", "memory", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgres":
        return str(request.getfixturevalue("postgres_url"))
    return f"sqlite:///{tmp_path}/store.db" if request.param == "file" else "sqlite:///:memory:"


@pytest.fixture
def backend(url: str) -> str:
    """The kind of database: what differs from one to the other is in the tests' data, not in their rules."""
    return "postgres" if url.startswith("postgresql:") else "sqlite"


@pytest.fixture
async def store(url: str) -> AsyncIterator[Store]:
    patience = 0.5 if url.startswith("postgresql:") else 0.05  # a lock is waited for there, a round trip each time
    opened = await open_store(url, writer_timeout=patience, busy_timeout=0.05)
    yield opened
    await opened.close()


@pytest.fixture
def commit(store: Store) -> Commit:
    async def write(changes: Changes) -> None:
        async with store.begin() as transaction:
            await transaction.open(changes.session.id, None)
            await transaction.commit(changes)

    return write
