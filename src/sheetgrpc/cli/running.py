"""An execution followed to its end on a display; shared by the commands that start or watch one."""

import asyncio

from sheetgrpc.cli.failure import DONE, FAILED
from sheetgrpc.cli.progress import Display
from sheetgrpc.cli.terminal import Terminal
from sheetgrpc.client import DeadlineExceeded, ExecutionStream, Finished, Unavailable, words
from sheetgrpc.v1.execution_pb2 import Execution


async def follow(terminal: Terminal, stream: ExecutionStream, display: Display, *, address: str) -> Execution:
    """The execution as it ended. Ctrl-C stops the following alone; it is then told how to follow again."""
    finished = None
    try:
        async with stream:
            with display:
                async for update in stream:
                    display.show(update)
                    if isinstance(update, Finished):
                        finished = update.execution
    except asyncio.CancelledError:
        terminal.line(("still running: ", "bold yellow"), "Ctrl-C stops the watching, not the execution")
        _tell_how_to_watch(terminal, stream, address)
        raise
    except (Unavailable, DeadlineExceeded):
        _tell_how_to_watch(terminal, stream, address)
        raise
    assert finished is not None, "a stream ends after `finished`, or raises"
    return finished


def exit_code(execution: Execution) -> int:
    """0 if everything was committed."""
    return DONE if words.execution_state(execution.state) == "SUCCEEDED" else FAILED


def _tell_how_to_watch(terminal: Terminal, stream: ExecutionStream, address: str) -> None:
    if stream.execution_id:
        terminal.line(f"watch it again with: sheetgrpc watch {stream.execution_id} --address {address}")
    else:
        terminal.line("it may not have begun: see `sheetgrpc sessions`")
