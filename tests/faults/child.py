"""Dies for the tests: sends one command to an engine of its own and is killed by SIGKILL at the chosen point.

`python -m tests.faults.child` reads a line of JSON a crash from its standard input and forks a process for each, which
costs a few milliseconds where a new interpreter costs half a second. It has no thread and no loop itself.
"""

import asyncio
import gc
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import structlog
from tests.faults.cases import CASES, RUN, open_engine, read_once, run_queued, run_waiting, send
from tests.faults.points import Points, WatchedStore


def main() -> None:
    """A crash a line, until there are no more."""
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    read_once()  # here, and not in each that dies
    gc.disable()  # a collection in a child would copy every page that is shared with it
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            _live(**json.loads(line))
        _, status = os.waitpid(child, 0)
        if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
            _tell(killed=True)
        elif status:
            _tell(failed=status)


def _live(path: str, case: str, point: int, *, runs: bool = False) -> None:
    """The command, to its end or to the point."""
    status = 1
    try:
        asyncio.run(_command(Path(path), case, point, runs=runs))
        status = 0
    finally:
        os._exit(status)


async def _command(path: Path, case: str, point: int, *, runs: bool) -> None:
    """`runs`: what the command queues is run to its end, too."""
    points = Points(point, lambda: os.kill(os.getpid(), signal.SIGKILL))

    def wrap(store: Any) -> Any:  # Any: the SQLite store is looked into, and another stands for it
        real.append(store)
        return WatchedStore(store, points)

    real: list[Any] = []
    engine = await open_engine(path, wrap)
    trace = lambda sql: points.pass_by(f"statement {sql}")  # noqa: E731
    await real[0]._writer.run(lambda connection: connection.set_trace_callback(trace))
    body = b"" if case == RUN else (await send(engine, CASES[case])).body
    if case == RUN:
        await run_waiting(engine)
    if runs:
        await run_queued(engine)
    passed = list(points.passed)
    await engine.stop()  # the file is free before anybody is told
    _tell(killed=False, reply=body.hex(), points=passed)


def _tell(**words: Any) -> None:
    print(json.dumps(words), flush=True)


if __name__ == "__main__":
    main()
