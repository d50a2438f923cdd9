"""Hints between servers on one PostgreSQL: all are heard, in order and once, however many there are."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from sheetgrpc.store.postgres.leases import PostgresLeases
from sheetgrpc.store.postgres.store import open_postgres


@asynccontextmanager
async def listening(url: str, replica: str, heard: list[str]) -> AsyncIterator[PostgresLeases]:
    """One server's, once it hears the others."""
    store = await open_postgres(url, writer_timeout=1, replica=replica, lease=30.0)
    leases = store.leases
    assert isinstance(leases, PostgresLeases)
    listener = asyncio.create_task(leases.listen(heard.append))
    try:
        async with asyncio.timeout(20):
            while not leases._listening:  # noqa: ASYNC110  # it has no event
                await asyncio.sleep(0)
        yield leases
    finally:
        listener.cancel()
        await asyncio.wait([listener])
        await store.close()


async def test_others_hear_all_there_is_in_few_messages(postgres_url: str) -> None:
    ours, theirs, messages = list[str](), list[str](), list[str]()
    beside = await asyncpg.connect(postgres_url)
    await beside.add_listener("sheetgrpc", lambda *told: messages.append(str(told[-1])))
    async with listening(postgres_url, "one", ours) as one, listening(postgres_url, "two", theirs):
        for hints in ([f"s:{at:026}" for at in range(1000)], ["s:last"]):
            theirs.clear()
            for hint in (*hints, *hints):  # what waits to be sent is not said again
                one.hint(hint)
            async with asyncio.timeout(20):
                while len(theirs) < len(hints):  # noqa: ASYNC110  # likewise
                    await asyncio.sleep(0)
            assert theirs == hints
        assert ours == []
        await beside.execute("SELECT 1")
    await beside.close()
    assert [message.partition(" ")[0] for message in messages] == ["one"] * 6  # of 29 KB, and one
    assert max(map(len, messages)) < 8000
