"""Work on large texts beside the event loop.

Copying megabytes is slow where each page of them is new to the process (5 to 25 ms for 8 MB), and a sheet is copied
several times on its way in. In a thread the loop gets its turn between two copies. Pure Python of any length does not
belong here: it would starve the writer (analyst.py).
"""

import asyncio
from collections.abc import Callable
from typing import TypeVar

LARGE = 1 << 20
STATEMENT = 512  # bytes that a statement of a plan counts for

T = TypeVar("T")


async def aside(size: int, function: Callable[..., T], *arguments: object) -> T:
    """The function's answer, from a thread where `size` (bytes or characters) is large."""
    if size < LARGE:
        return function(*arguments)
    return await asyncio.to_thread(function, *arguments)


async def decode(source: bytes) -> str:
    """The text of UTF-8 bytes."""
    return await aside(len(source), source.decode)
