"""Questions to whoever sits at the terminal. Where nobody does, nothing is asked."""

import asyncio
import sys

from sheetgrpc.cli.failure import FAILED, INTERRUPTED, Failure


def somebody_there() -> bool:
    """Whether questions can be asked: standard input and output are a terminal."""
    return sys.stdin.isatty() and sys.stdout.isatty()


async def ask(question: str) -> str:
    """The answer to a question, without the blanks around it.

    Raises:
        Failure: the answer was Ctrl-C or the end of the input.
    """
    print(question, end="", flush=True)
    try:
        await _line_typed()
    except asyncio.CancelledError:
        print()
        raise Failure("interrupted, nothing was changed", INTERRUPTED) from None
    line = sys.stdin.readline()
    if not line:
        print()
        raise Failure("no answer, nothing was changed", FAILED)
    return line.strip()


async def confirm(question: str) -> bool:
    """Whether the answer is yes; nothing counts as no."""
    return (await ask(f"{question} [y/N] ")).lower() in {"y", "yes"}


async def _line_typed() -> None:
    """Wait until a whole line (or the end) was typed; unlike input(), this notices Ctrl-C at any moment."""
    loop = asyncio.get_running_loop()
    typed = asyncio.Event()
    loop.add_reader(sys.stdin, typed.set)
    try:
        await typed.wait()
    finally:
        loop.remove_reader(sys.stdin)
