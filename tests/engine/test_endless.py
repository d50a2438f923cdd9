"""Tasks without an end of their own end when they are told to, however they take it."""

import asyncio

import pytest

from sheetgrpc.engine import endless


async def test_a_task_that_loses_a_cancel_ends_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endless, "_AGAIN_SECONDS", 0.01)
    lost = 0

    async def work() -> None:
        nonlocal lost
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                if lost == 2:
                    raise
                lost += 1

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    await endless.end(task)
    assert (task.cancelled(), lost) == (True, 2)


async def test_what_a_task_has_failed_with_is_nobodys_business_at_its_end() -> None:
    async def fail() -> None:
        raise RuntimeError

    task = asyncio.create_task(fail())
    await asyncio.sleep(0)
    await endless.end(task)
    assert isinstance(task.exception(), RuntimeError)


async def test_nothing_ends_at_once() -> None:
    await endless.end()
