"""Every List RPC as one async iterator, fetched page by page as it is read."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import TypeVar

T = TypeVar("T")

PAGE_SIZE = 1000
"""The most a server gives at once; what is read to its end is read quickest so."""


async def pages(fetch: Callable[[str], Awaitable[tuple[Sequence[T], str]]]) -> AsyncIterator[T]:
    """The items of every page. `fetch` answers a page token with items and the next token."""
    token = ""
    while True:
        items, token = await fetch(token)
        for item in items:
            yield item
        if not token:
            return
