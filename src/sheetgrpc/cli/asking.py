"""Questions to whoever sits at the terminal. Where nobody does, nothing is asked."""

import signal
import sys

from sheetgrpc.cli.failure import FAILED, INTERRUPTED, Failure


def somebody_there() -> bool:
    """Whether questions can be asked: standard input and output are a terminal."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def ask(question: str) -> str:
    """The answer to a question, without the blanks around it.

    Raises:
        Failure: the answer was Ctrl-C or the end of the input.
    """
    # asyncio turns Ctrl-C into the cancelling of a task, which nobody would notice while input() waits.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return input(question).strip()
    except EOFError:
        raise Failure("no answer, nothing was changed", FAILED) from None
    except KeyboardInterrupt:
        raise Failure("interrupted, nothing was changed", INTERRUPTED) from None
    finally:
        signal.signal(signal.SIGINT, before)


def confirm(question: str) -> bool:
    """Whether the answer is yes; nothing counts as no."""
    return ask(f"{question} [y/N] ").lower() in {"y", "yes"}
