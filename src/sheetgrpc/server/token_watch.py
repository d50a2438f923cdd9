"""The token file of a server that runs: read again when it changes, kept as it was where the new one is no good.

Who calls meanwhile is judged by what was read last; calls and streams under way go on. Disk is touched in a thread.
"""

import asyncio
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias

import structlog

from sheetgrpc.config import StartError
from sheetgrpc.server import tokens
from sheetgrpc.server.identity import Caller
from sheetgrpc.server.tokens import TokenFile, TokenFileError

CHECK_SECONDS = 1.0

Mark: TypeAlias = tuple[int, ...] | None  # what tells that a file is another; None: it is not there

_log = structlog.get_logger("sheetgrpc.tokens")


class TokenWatch:
    """Whose tokens are whose, now."""

    def __init__(self, path: str, check: Callable[[TokenFile], str] | None = None) -> None:
        """Reads the file; `check` answers what is wrong with one that can be read, "" for nothing.

        Raises StartError, which names the line.
        """
        self._path = path
        self._check = check or (lambda _: "")
        self._mark = _look(path)
        try:
            self._file = self._read()
        except TokenFileError as error:
            raise StartError(str(error)) from error
        self._asked = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def find(self, token: str) -> Caller | None:
        """Whose token it is."""
        holder = self._file.find(token)
        return Caller(name=holder.name, roles=holder.roles) if holder is not None else None

    def start(self) -> None:
        """Looks at the file from now on, once every CHECK_SECONDS."""
        self._task = asyncio.create_task(self._watch(), name="token-watch")

    async def stop(self) -> None:
        """Looks no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def hurry(self) -> None:
        """Reads the file soon, changed or not: SIGHUP."""
        self._asked.set()

    async def refresh(self, *, force: bool = False) -> None:
        """Reads the file if it has changed since it was last read, or anyway with `force`."""
        mark = await asyncio.to_thread(_look, self._path)
        if mark == self._mark and not force:
            return
        self._mark = mark  # of a broken file too: it is told once, not once a second
        try:
            self._file = await asyncio.to_thread(self._read)
        except TokenFileError as error:
            _log.error("tokens.kept", problem=str(error), hint="the tokens read before stay in force; mend the file")
            return
        _log.info("tokens.read", tokens=len(self._file.holders))

    async def _watch(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(CHECK_SECONDS):
                    await self._asked.wait()
            force = self._asked.is_set()
            self._asked.clear()
            await self.refresh(force=force)

    def _read(self) -> TokenFile:
        file = tokens.read(self._path)
        if problem := self._check(file):
            raise TokenFileError(f'the token file "{self._path}": {problem}')
        return file


def _look(path: str) -> Mark:
    try:
        seen: os.stat_result = Path(path).stat()
    except OSError:
        return None
    return seen.st_mtime_ns, seen.st_size, seen.st_ino, seen.st_dev
