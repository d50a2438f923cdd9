"""A process beside the server for analysis that would hold the event loop, and the server's end of it.

The process is `python -m sheetgrpc.engine.worker`: it imports the pure packages and nothing else, takes one pickled
call after another on stdin and answers on stdout, and is gone when stdin closes, however the server died.
(multiprocessing would import the caller's main module again, whatever that is.) One that died is replaced once a call:
calls change nothing, so a second try is safe.
"""

import asyncio
import gc
import pickle
import struct
import sys
from collections.abc import Callable
from typing import Any, BinaryIO, TypeVar

from sheetgrpc.catalog.loading import load
from sheetgrpc.catalog.model import Catalog
from sheetgrpc.dsl.limits import Limits
from sheetgrpc.planning.analysis import analyse
from sheetgrpc.planning.expand import Expansion, expand
from sheetgrpc.planning.model import Analysis, Key, Known

_LENGTH = struct.Struct("!Q")
T = TypeVar("T")


class WorkerError(Exception):
    """The call raised in the worker, or the worker died twice over it."""


class Worker:
    """The server's end: one process, started when first needed, one call at a time."""

    def __init__(self, catalog_source: str) -> None:
        self._catalog_source = catalog_source
        self._process: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()
        self._calls: set[asyncio.Task[Any]] = set()
        self._closed = False

    async def call(self, function: Callable[..., T], *arguments: object) -> T:
        """The function's answer. A caller that goes away does not disturb the calls of others."""
        task: asyncio.Task[T] = asyncio.create_task(self._call(function, arguments))
        self._calls.add(task)
        task.add_done_callback(self._calls.discard)
        return await asyncio.shield(task)

    async def close(self) -> None:
        """Ends the process and what waits for it."""
        self._closed = True
        await self._kill()
        if self._calls:
            await asyncio.gather(*self._calls, return_exceptions=True)

    async def _call(self, function: Callable[..., T], arguments: tuple[object, ...]) -> T:
        message = pickle.dumps((function.__name__, arguments), protocol=5)
        async with self._turn:
            for _ in range(2):
                try:
                    answer = await self._exchange(message)
                except (asyncio.IncompleteReadError, ConnectionError):
                    await self._kill()
                    continue
                outcome = pickle.loads(answer)  # noqa: S301  # our own process's
                if isinstance(outcome, WorkerError):
                    raise outcome
                return outcome  # type: ignore[no-any-return]  # what `function` answers, by the table below
        raise WorkerError("the analysis process died twice")

    async def _exchange(self, message: bytes) -> bytes:
        process = await self._start()
        if process.stdin is None or process.stdout is None:
            raise WorkerError("the analysis process has no pipes")
        process.stdin.write(_LENGTH.pack(len(message)) + message)
        await process.stdin.drain()
        (length,) = _LENGTH.unpack(await process.stdout.readexactly(_LENGTH.size))
        return await process.stdout.readexactly(length)

    async def _start(self) -> asyncio.subprocess.Process:
        if self._closed:
            raise WorkerError("the server is shutting down")
        if self._process is None:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "sheetgrpc.engine.worker",
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                limit=1 << 24,
                start_new_session=True,  # a terminal's Ctrl-C is the server's to handle
            )
            first = pickle.dumps(self._catalog_source, protocol=5)
            if self._process.stdin is not None:
                self._process.stdin.write(_LENGTH.pack(len(first)) + first)
        return self._process

    async def _kill(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if process.returncode is None:
            process.kill()
        await process.wait()
        # asyncio leaves the pipes to the collector otherwise, which warns.
        process._transport.close()  # type: ignore[attr-defined]  # noqa: SLF001  # there is no public way


def ready() -> bool:
    """Answers once the process is up."""
    return True


def analyse_sheet(source: str, known: Known, limits: Limits) -> Analysis:
    """`analyse` with the process's catalog. The collector pauses: columns hold no cycles, and it walks them all."""
    gc.disable()
    try:
        return analyse(source, _catalog[0], known, limits)
    finally:
        gc.enable()


def expand_template(source: str, placeholder: str, keys: list[Key]) -> Expansion:
    """`expand`."""
    return expand(source, placeholder, keys)


_catalog: list[Catalog] = []  # in the process: its one catalog
_FUNCTIONS: dict[str, Callable[..., object]] = {
    function.__name__: function for function in (ready, analyse_sheet, expand_template)
}


def main() -> None:
    """The process: a catalog first, then calls, until stdin closes."""
    source, answers = sys.stdin.buffer, sys.stdout.buffer
    sys.stdout = sys.stderr  # nothing but answers may reach the pipe
    catalog = _read(source)
    if catalog is None:
        return
    _catalog.append(load(str(pickle.loads(catalog)), "catalog"))  # noqa: S301  # the server's
    gc.freeze()
    while (message := _read(source)) is not None:
        name, arguments = pickle.loads(message)  # noqa: S301  # the server's
        try:
            outcome: object = _FUNCTIONS[name](*arguments)
        except Exception as error:  # noqa: BLE001  # whatever it is goes to the server, which logs it
            outcome = WorkerError(f"{type(error).__name__}: {error}")
        answer = pickle.dumps(outcome, protocol=5)
        answers.write(_LENGTH.pack(len(answer)) + answer)
        answers.flush()
        del outcome, answer, message, arguments


def _read(source: BinaryIO) -> bytes | None:
    """One message; None at the end."""
    head = source.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    (length,) = _LENGTH.unpack(head)
    return source.read(length)


if __name__ == "__main__":
    # `-m` runs this file as __main__; pickles name the module as the server knows it.
    from sheetgrpc.engine import worker  # noqa: PLW0406

    worker.main()
