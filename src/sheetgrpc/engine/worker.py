"""A process beside the server for analysis that would hold the event loop, and the server's end of it.

The process is `python -m sheetgrpc.engine.worker`: it imports the pure packages and nothing else, takes one pickled
call after another on stdin and answers on stdout, and is gone when stdin closes, however the server died.
(multiprocessing would import the caller's main module again, whatever that is.) One that died is replaced once a call:
calls change nothing, so a second try is safe.
"""

import asyncio
import contextlib
import copyreg
import gc
import pickle
import struct
import subprocess
import sys
from collections.abc import Callable
from typing import IO, Any, TypeVar

import msgspec

from sheetgrpc.catalog.loading import load
from sheetgrpc.catalog.model import Catalog
from sheetgrpc.dsl.limits import Limits
from sheetgrpc.planning.analysis import analyse
from sheetgrpc.planning.expand import Expansion, expand
from sheetgrpc.planning.model import Analysis, Column, Key, Known

_LENGTH = struct.Struct("!Q")
T = TypeVar("T")


class WorkerError(Exception):
    """The call raised in the worker, or the worker died twice over it."""


class Worker:
    """The server's end: one process, started when first needed, one call at a time.

    Talking to it is a thread's work: sheets are megabytes, and pickling or piping them would hold the loop.
    """

    def __init__(self, catalog_source: str) -> None:
        self._catalog_source = catalog_source
        self._process: subprocess.Popen[bytes] | None = None
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
        if self._process is not None:
            self._process.kill()
        if self._calls:
            await asyncio.gather(*self._calls, return_exceptions=True)
        self._drop()

    async def _call(self, function: Callable[..., T], arguments: tuple[object, ...]) -> T:
        async with self._turn:
            for _ in range(2):
                try:
                    outcome = await asyncio.to_thread(self._exchange, function.__name__, arguments)
                except (EOFError, OSError):
                    self._drop()
                    continue
                if isinstance(outcome, WorkerError):
                    raise outcome
                return outcome  # type: ignore[no-any-return]  # what `function` answers, by the table below
        raise WorkerError("the analysis process died twice")

    def _exchange(self, name: str, arguments: tuple[object, ...]) -> Any:
        """In a thread. Raises EOFError or OSError where the process is gone."""
        process = self._start()
        if process.stdin is None or process.stdout is None:
            raise WorkerError("the analysis process has no pipes")
        _write(process.stdin, (name, arguments))
        answer = _read(process.stdout)
        if answer is None:
            raise EOFError
        return pickle.loads(answer)  # noqa: S301  # our own process's

    def _start(self) -> "subprocess.Popen[bytes]":
        if self._closed:
            raise WorkerError("the server is shutting down")
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "sheetgrpc.engine.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                start_new_session=True,  # a terminal's Ctrl-C is the server's to handle
            )
            if self._process.stdin is not None:
                _write(self._process.stdin, self._catalog_source)
        return self._process

    def _drop(self) -> None:
        """Forgets a process that is gone, or makes it so."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            with contextlib.suppress(OSError):
                process.communicate()  # closes the pipes and takes the exit status


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
        _write(answers, outcome)
        del outcome, message, arguments


def _column(*fields: Any) -> Column:
    """A column of an answer. In Python on purpose: unpickling holds the GIL, and a call is where it lets go of it."""
    return Column(*fields)


copyreg.pickle(Column, lambda column: (_column, msgspec.structs.astuple(column)))


def _write(pipe: IO[bytes], value: object) -> None:
    """One message."""
    message = pickle.dumps(value, protocol=5)
    pipe.write(_LENGTH.pack(len(message)))
    pipe.write(message)
    pipe.flush()


def _read(pipe: IO[bytes]) -> bytes | None:
    """One message; None where it ends early."""
    head = pipe.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    (length,) = _LENGTH.unpack(head)
    message = pipe.read(length)
    return message if len(message) == length else None


if __name__ == "__main__":
    # `-m` runs this file as __main__; pickles name the module as the server knows it.
    from sheetgrpc.engine import worker  # noqa: PLW0406

    worker.main()
