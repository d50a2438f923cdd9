"""Points where a command may be struck: before and after every call into the store, and at every statement it writes.

A store and a transaction that let everything through and count. What happens at the chosen point is up to the test.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from sheetgrpc.store.base import Store, Transaction
from sheetgrpc.store.tasks import TaskReads


class Points:
    """Counts points as they are passed, from 1; at the chosen one `strike` is called, while there is one."""

    def __init__(self, chosen: int, strike: Callable[[], None] | None = None) -> None:
        self.passed: list[str] = []
        self.strike = strike
        self.struck = False
        self._chosen = chosen

    def pass_by(self, name: str) -> None:
        """One point more."""
        self.passed.append(name)
        if self.strike is not None and len(self.passed) == self._chosen:
            self.struck = True
            self.strike()

    def watch(self, name: str, method: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        """The method with a point on either side."""

        async def watched(*args: Any, **kwargs: Any) -> Any:
            self.pass_by(f"before {name}")
            answer = await method(*args, **kwargs)
            self.pass_by(f"after {name}")
            return answer

        return watched


class Watched:
    """A `store.base.Transaction`, or another part of a store, with points."""

    def __init__(self, name: str, part: Transaction | TaskReads, points: Points) -> None:
        self._name = name
        self._part = part
        self._points = points

    def __getattr__(self, name: str) -> Any:  # Any: a method of any form, or what it tells
        found = getattr(self._part, name)
        return self._points.watch(f"{self._name}.{name}", found) if callable(found) else found


class WatchedStore:
    """`store.base.Store` with points; closing it is none."""

    def __init__(self, store: Store, points: Points) -> None:
        self.about = store.about
        self.close = store.close
        self.tasks = Watched("store.tasks", store.tasks, points)
        self._store = store
        self._points = points

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[Watched]:
        """The writer, with points before and after it is had and given back."""
        self._points.pass_by("before begin")
        async with self._store.begin() as transaction:
            self._points.pass_by("after begin")
            yield Watched("transaction", transaction, self._points)
            self._points.pass_by("before end")
        self._points.pass_by("after end")

    def __getattr__(self, name: str) -> Any:  # Any: a method of any form, or what it tells, or a plain value
        found = getattr(self._store, name)
        return self._points.watch(f"store.{name}", found) if callable(found) else found
