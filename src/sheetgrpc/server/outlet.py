"""Where log lines leave the process: a queue, and a thread that writes it out. Knows nothing of what the lines say.

Whoever logs never waits, not even for a pipe that nobody reads: what finds the queue full is dropped and counted, and
the count is told once there is room again. Lines go out in batches, a hundredth of a second at most after they were
said; urgent ones at once. The file descriptor is written to directly: a thread that hangs in a buffered stream's lock
would take everybody who prints with it, and the interpreter's end.
"""

import os
import select
import threading
from collections import deque
from collections.abc import Callable
from typing import TextIO

MOST_LINES = 10_000
"""Lines that wait to be written: a few megabytes."""
LINGER_SECONDS = 0.01
CLOSE_SECONDS = 1.0
_BATCH = 1000  # lines joined in one go, which holds the interpreter for less than a millisecond


class Outlet:
    """A queue of lines on their way to a stream. Made and closed by `configure_logs`; any thread may put."""

    def __init__(self, stream: TextIO, tell_lost: Callable[[int], str], *, most: int = MOST_LINES) -> None:
        """`tell_lost` makes a line of the number of lines that were lost; it is called on the writing thread."""
        self._write = _writer(stream)
        self._tell_lost = tell_lost
        self._most = most
        self._lines: deque[str] = deque()
        self._lost = 0
        self._losing = threading.Lock()
        self._asleep = False
        self._wake = threading.Event()
        self._hurry = threading.Event()
        self._closing = False
        self._thread = threading.Thread(target=self._work, name="log-writer", daemon=True)
        self._thread.start()

    def put(self, line: str) -> None:
        """One line, without its end."""
        if len(self._lines) >= self._most:
            self._lose(1)
            return
        self._lines.append(line)
        if self._asleep:
            self._asleep = False
            self._wake.set()

    def put_urgent(self, line: str) -> None:
        """One line that does not wait for others."""
        self._hurry.set()
        self.put(line)

    msg = debug = info = warning = warn = put  # what structlog calls, by level
    error = critical = fatal = exception = put_urgent

    def close(self, seconds: float = CLOSE_SECONDS) -> None:
        """Writes what is there, unless that takes longer. Again: writes what was put since."""
        self._closing = True
        self._hurry.set()
        self._wake.set()
        self._thread.join(seconds)
        if self._lines and not self._thread.is_alive():
            self._write_out()

    def _work(self) -> None:
        while self._await_lines():
            self._write_out()

    def _write_out(self) -> None:
        taken = self._take()
        try:
            self._write("\n".join([*taken, ""]))
        except (OSError, ValueError):  # the reader is gone, or the stream was closed
            self._lose(len(taken))

    def _await_lines(self) -> bool:
        """Sleeps until there are lines; False once it is closed and none are left."""
        self._asleep = True
        while not self._lines:
            if self._closing:
                return False
            self._wake.wait()
            self._wake.clear()
            self._asleep = True
        self._asleep = False
        self._hurry.wait(LINGER_SECONDS)
        if not self._closing:
            self._hurry.clear()
        return True

    def _take(self) -> list[str]:
        """The next lines. They leave the queue first: while they are written others may be put."""
        taken = [self._lines.popleft() for _ in range(min(len(self._lines), _BATCH))]
        with self._losing:
            lost, self._lost = self._lost, 0
        if lost:
            taken.append(self._tell_lost(lost))
        return taken

    def _lose(self, count: int) -> None:
        with self._losing:
            self._lost += count


def _writer(stream: TextIO) -> Callable[[str], None]:
    """How a text gets out: by the stream's file, or by the stream itself where it has none."""
    try:
        file = stream.fileno()
    except (OSError, ValueError):  # one in memory
        return _plain_writer(stream)

    def write(text: str) -> None:
        left = memoryview(text.encode("utf-8", "backslashreplace"))
        while left:
            try:
                left = left[os.write(file, left) :]
            except BlockingIOError:  # somebody set it so: a terminal is shared
                select.select([], [file], [])

    return write


def _plain_writer(stream: TextIO) -> Callable[[str], None]:
    def write(text: str) -> None:
        stream.write(text)
        stream.flush()

    return write
