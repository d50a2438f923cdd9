"""An execution followed to its end on a display; shared by the commands that start or watch one.

Ctrl-C never cancels by itself. Where somebody can be asked, the first one asks, and the execution goes on meanwhile;
one more leaves. Elsewhere it leaves at once. Whoever leaves is told how to watch again and how to cancel.
"""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from sheetgrpc.cli.asking import confirm
from sheetgrpc.cli.failure import DONE, FAILED, INTERRUPTED, Failure
from sheetgrpc.cli.progress import Display
from sheetgrpc.cli.terminal import Terminal
from sheetgrpc.client import Client, DeadlineExceeded, ExecutionStream, Finished, SheetgrpcError, Unavailable, words
from sheetgrpc.v1.execution_pb2 import Execution

QUESTION = "cancel the execution? it goes on otherwise"


class _Left(Exception):
    """Ctrl-C where a question was open, or where nothing can be cancelled yet."""


async def follow(
    terminal: Terminal, stream: ExecutionStream, display: Display, *, address: str, asking: Client | None = None
) -> Execution:
    """The execution as it ended. `asking`: on Ctrl-C, asks whether to cancel, through this client."""
    try:
        async with stream:
            with display:
                if asking is None:
                    return await _read(stream, display)
                return await _read_asking(terminal, stream, display, asking)
    except asyncio.CancelledError:
        _leave(terminal, stream, address)
        raise
    except _Left:
        _leave(terminal, stream, address)
        raise Failure("interrupted", INTERRUPTED) from None
    except (Unavailable, DeadlineExceeded):
        _tell_how_to_go_on(terminal, stream, address)
        raise


def exit_code(execution: Execution) -> int:
    """0 if everything was committed."""
    return DONE if words.execution_state(execution.state) == "SUCCEEDED" else FAILED


async def _read(stream: ExecutionStream, display: Display) -> Execution:
    finished = None
    async for update in stream:
        display.show(update)
        if isinstance(update, Finished):
            finished = update.execution
    assert finished is not None, "a stream ends after `finished`, or raises"
    return finished


async def _read_asking(terminal: Terminal, stream: ExecutionStream, display: Display, client: Client) -> Execution:
    reading = asyncio.create_task(_read(stream, display))
    try:
        with _ctrl_c() as pressed:
            while await _first(reading, pressed) is None:
                if not stream.execution_id:
                    raise _Left
                display.pause()
                if await _wants_to_cancel(reading, pressed):
                    await _cancel(terminal, client, stream.execution_id)
                display.resume()
        return await reading
    finally:
        reading.cancel()
        await asyncio.wait({reading})


async def _first(reading: "asyncio.Task[Execution]", pressed: asyncio.Event) -> "asyncio.Task[Execution] | None":
    """The reading, once it is over; None if Ctrl-C came before."""
    pressing = asyncio.create_task(pressed.wait())
    await asyncio.wait({reading, pressing}, return_when=asyncio.FIRST_COMPLETED)
    pressing.cancel()
    pressed.clear()
    return reading if reading.done() else None


async def _wants_to_cancel(reading: "asyncio.Task[Execution]", pressed: asyncio.Event) -> bool:
    """The answer to the question; False too if the execution ends meanwhile. Raises _Left."""
    answering = asyncio.create_task(confirm(QUESTION))
    pressing = asyncio.create_task(pressed.wait())
    try:
        await asyncio.wait({reading, answering, pressing}, return_when=asyncio.FIRST_COMPLETED)
        if pressing.done():
            raise _Left
        return answering.done() and answering.result()
    except Failure:  # the end of the input
        raise _Left from None
    finally:
        pressing.cancel()
        answering.cancel()
        await asyncio.wait({answering, pressing})
        with suppress(Failure, asyncio.CancelledError):
            answering.result()


async def _cancel(terminal: Terminal, client: Client, execution: str) -> None:
    """Asks the server; the stream tells what comes of it."""
    try:
        answer = await client.executions.cancel(execution)
    except SheetgrpcError as error:
        terminal.line(("not cancelled: ", "bold yellow"), str(error))
        return
    if words.cancel_outcome(answer.outcome) == "TOO_LATE_COMMITTING":
        terminal.line(("too late: ", "bold yellow"), "it is being committed")


@contextmanager
def _ctrl_c() -> Iterator[asyncio.Event]:
    """The event that Ctrl-C sets, instead of ending the command."""
    loop = asyncio.get_running_loop()
    pressed = asyncio.Event()
    before = signal.getsignal(signal.SIGINT)
    loop.add_signal_handler(signal.SIGINT, pressed.set)
    try:
        yield pressed
    finally:
        loop.remove_signal_handler(signal.SIGINT)
        signal.signal(signal.SIGINT, before)


def _leave(terminal: Terminal, stream: ExecutionStream, address: str) -> None:
    terminal.line(("still running: ", "bold yellow"), "Ctrl-C stops the watching, not the execution")
    _tell_how_to_go_on(terminal, stream, address)


def _tell_how_to_go_on(terminal: Terminal, stream: ExecutionStream, address: str) -> None:
    if stream.execution_id:
        terminal.line(f"watch it again with: sheetgrpc watch {stream.execution_id} --address {address}")
        terminal.line(f"cancel it with: sheetgrpc cancel {stream.execution_id} --address {address}")
    else:
        terminal.line("it may not have begun: see `sheetgrpc sessions`")
