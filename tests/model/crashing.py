"""A store that dies at a chosen point: before or after any call that the engine makes into it."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from inspect import iscoroutinefunction
from typing import Any


class Crash(BaseException):
    """The process is gone, as far as the command can tell."""


class Fuse:
    """Burns down at every point that its own command passes; other commands and the executor do not touch it."""

    def __init__(self, points: int) -> None:
        self.left = points
        self.committed = False

    def burn(self) -> None:
        """One point further."""
        self.left -= 1
        if self.left < 0:
            raise Crash


LIT: ContextVar[Fuse | None] = ContextVar("LIT", default=None)
"""The fuse of the command whose task this is."""


def _burn() -> None:
    if (fuse := LIT.get()) is not None:
        fuse.burn()


class Crashing:
    """A Store, or a Transaction of it, whose every coroutine burns the lit fuse before and after it ran."""

    def __init__(self, inner: Any) -> None:  # Any: whichever of the two protocols
        self._inner = inner

    def __getattr__(self, name: str) -> Any:  # as above
        found = getattr(self._inner, name)
        if not iscoroutinefunction(found):
            return found
        return self._burning(name, found)

    @asynccontextmanager
    async def begin(self) -> AsyncIterator["Crashing"]:
        """The writer."""
        _burn()
        async with self._inner.begin() as transaction:
            yield Crashing(transaction)

    def _burning(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        async def burning(*arguments: object, **named: object) -> object:
            _burn()
            answer = await call(*arguments, **named)
            if name == "commit" and (fuse := LIT.get()) is not None:
                fuse.committed = True
            _burn()
            return answer

        return burning
