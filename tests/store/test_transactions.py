"""A transaction: who sees what of it, and what is left when callers go away or a constraint fails. On every backend."""

import asyncio

import pytest
from tests.store.making import Made, add

from sheetgrpc.catalog.model import Entity, Key
from sheetgrpc.errors import NotFound, Reason, Unavailable
from sheetgrpc.store.base import ConstraintViolated, Store, Transaction
from sheetgrpc.store.records import Changes

THING = Entity("thing", "things", Key("id"))
SCHEMA = "CREATE TABLE things (id text PRIMARY KEY, parent text REFERENCES things (id) DEFERRABLE INITIALLY DEFERRED);"


@pytest.fixture(autouse=True)
async def tables(store: Store) -> None:
    await store.run_script(SCHEMA)


async def things(store: Store) -> list[str | int]:
    return await store.keys(THING, {}, 10)


async def free(store: Store) -> None:
    """Nobody holds a transaction that another one waits for."""
    async with asyncio.timeout(5), store.begin() as transaction:
        await transaction.open(None, None)


async def test_readers_see_nothing_uncommitted_and_do_not_wait(store: Store, made: Made) -> None:
    session = made.session()
    async with store.begin() as transaction:
        await transaction.open(session.id, None)
        await add(transaction, "a")
        assert await things(store) == []
        await transaction.commit(made.created(session))
        assert await things(store) == ["a"]
    assert (await store.session(session.id)).session == session


async def test_leaving_without_commit_rolls_back(store: Store) -> None:
    async with store.begin() as transaction:
        await transaction.open(None, None)
        await add(transaction, "a")
    assert await things(store) == []


async def test_leaving_with_an_error_rolls_back_and_passes_it_on(store: Store) -> None:
    with pytest.raises(ZeroDivisionError):  # noqa: PT012  # the context is what is tested
        async with store.begin() as transaction:
            await add(transaction, "a")
            raise ZeroDivisionError
    assert await things(store) == []


async def test_transaction_that_was_never_opened_costs_nothing(store: Store) -> None:
    async with store.begin():
        pass
    async with store.begin() as transaction:
        assert (await transaction.open(None, None)).row is None


async def test_deferred_constraint_fails_the_commit_and_leaves_nothing(store: Store, made: Made) -> None:
    session = made.session()
    async with store.begin() as transaction:
        await add(transaction, "a", "missing")
        with pytest.raises(ConstraintViolated) as violated:
            await transaction.commit(made.created(session))
    assert "things" in violated.value.constraint
    assert await things(store) == []
    with pytest.raises(NotFound):
        await store.session(session.id)


async def test_failed_commit_cannot_be_repeated_half_written(store: Store, made: Made) -> None:
    async with store.begin() as transaction:
        await add(transaction, "a", "missing")
        with pytest.raises(ConstraintViolated):
            await transaction.commit(made.created(made.session()))
        with pytest.raises(RuntimeError, match="over"):
            await transaction.commit(made.created(made.session()))


@pytest.mark.parametrize("steps", range(0, 60, 3))
async def test_cancelled_at_any_moment_is_whole_or_nothing(store: Store, made: Made, steps: int) -> None:
    session = made.session()

    async def command() -> None:
        async with store.begin() as transaction:
            await transaction.open(session.id, None)
            await add(transaction, "a")
            await transaction.commit(made.created(session))

    task = asyncio.create_task(command())
    for _ in range(steps):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await free(store)
    written = await things(store)
    assert written in ([], ["a"])
    if written:
        assert (await store.session(session.id)).session == session
    else:
        with pytest.raises(NotFound):
            await store.session(session.id)


async def test_writers_take_turns_in_order(store: Store, made: Made) -> None:
    async def command(name: str) -> None:
        async with store.begin() as transaction:
            await add(transaction, name)
            await transaction.commit(made.created(made.session()))

    await asyncio.gather(*(command(name) for name in "dbca"))
    assert await things(store) == ["a", "b", "c", "d"]


async def test_closing_rolls_back_and_refuses_what_comes_after(store: Store, made: Made) -> None:
    async with store.begin() as transaction:
        await add(transaction, "a")
        await store.close()
        with pytest.raises(Unavailable) as refused:
            await transaction.commit(made.created(made.session()))
    assert refused.value.reason is Reason.SHUTTING_DOWN
    with pytest.raises(Unavailable):
        await things(store)


async def test_transaction_that_is_over_refuses_more(store: Store, made: Made) -> None:
    async with store.begin() as transaction:
        await transaction.commit(made.created(made.session()))
        await refuses(transaction, made.created(made.session()))
    await refuses(transaction, made.created(made.session()))


async def refuses(transaction: Transaction, changes: Changes) -> None:
    with pytest.raises(RuntimeError, match="over"):
        await transaction.commit(changes)
