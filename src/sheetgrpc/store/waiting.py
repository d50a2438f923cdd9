"""Waiting for a database's answer whatever becomes of the caller, and the refusal of who waited long enough."""

import asyncio
from functools import partial
from typing import TypeVar

from sheetgrpc.errors import Reason, Unavailable

T = TypeVar("T")

RETRY_AFTER = 1.0  # seconds


async def settled(future: asyncio.Future[T]) -> T:
    """The outcome of `future`, waited for to its end; a cancellation meanwhile is raised after that."""
    cancelled = None
    while not future.done():
        waiter = future.get_loop().create_future()  # asyncio.wait costs three times as much
        future.add_done_callback(partial(_wake, waiter))
        try:
            await waiter
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        future.exception()  # seen: asyncio would report one that nobody looked at
        raise cancelled
    try:
        return future.result()
    finally:
        del future  # an error would hold itself by way of this frame


def _wake(waiter: asyncio.Future[None], _: object) -> None:
    if not waiter.done():
        waiter.set_result(None)


def busy() -> Unavailable:
    """The refusal of a caller that waited long enough for somebody else's transaction."""
    return Unavailable(Reason.STORE_BUSY, "the database is busy; try again", retry_after=RETRY_AFTER)


def away() -> Unavailable:
    """The refusal where the database does not answer, or cannot do its work."""
    return Unavailable(Reason.STORE_UNAVAILABLE, "the database does not answer; try again", retry_after=RETRY_AFTER)


def closed() -> Unavailable:
    """The refusal of a store that is closed."""
    return Unavailable(Reason.SHUTTING_DOWN, "the store is closed; try another server", retry_after=RETRY_AFTER)
