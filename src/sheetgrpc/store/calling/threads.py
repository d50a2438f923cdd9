"""The threads that handlers run in. One that never returns costs its thread, and what that holds, and nothing else.

A thread is free again when its job has come to its end, stopped or not; the next job takes a free one, or a new one.
They do not keep the process from ending.
"""

import asyncio
from queue import SimpleQueue
from threading import Lock, Thread

import structlog

from sheetgrpc.planning.model import ErrorCode, StatementError
from sheetgrpc.store.batches import Failure
from sheetgrpc.store.calling.job import Job

log = structlog.get_logger(__name__)

MOST_THREADS = 64
"""As many handlers may be under way or stuck at once; beyond that statements fail."""


class Threads:
    """A pool of them."""

    def __init__(self, most: int = MOST_THREADS) -> None:
        """At most so many."""
        self._most = most
        self._free: list[_Runner] = []
        self._taken: set[_Runner] = set()
        self._closed = False
        self._lock = Lock()

    @property
    def stuck(self) -> int:
        """Threads whose handler goes on after its run is over."""
        with self._lock:
            return sum(one.job is not None and one.job.stopped for one in self._taken)

    def run(self, job: Job) -> None:
        """Gives a job to a thread. Raises Failure where too many have not returned."""
        stuck = self.stuck
        if stuck:
            log.warning("handlers.stuck", count=stuck, most=self._most)
        with self._lock:
            if not self._free and len(self._taken) >= self._most:
                message = f"{self._most} handlers have not returned; the server must be started anew"
                raise Failure(StatementError(ErrorCode.HANDLER_FAILED, message))
            runner = self._free.pop() if self._free else _Runner(self)
            runner.job = job
            self._taken.add(runner)
        runner.jobs.put(job)

    def close(self) -> None:
        """Ends the free threads; the others end when their handlers return."""
        with self._lock:
            self._closed = True
            free, self._free = self._free, []
        for one in free:
            one.jobs.put(None)

    def give_back(self, runner: "_Runner") -> bool:
        """From a thread whose job is over; False if there are to be no more jobs."""
        with self._lock:
            self._taken.discard(runner)
            runner.job = None
            if not self._closed:
                self._free.append(runner)
            return not self._closed


class _Runner:
    """One thread, with a loop of its own for async handlers."""

    def __init__(self, pool: Threads) -> None:
        self.job: Job | None = None
        self.jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._pool = pool
        Thread(target=self._serve, name="handler", daemon=True).start()

    def _serve(self) -> None:
        loop = asyncio.new_event_loop()
        try:
            while (job := self.jobs.get()) is not None:
                job.run(loop)
                if not self._pool.give_back(self):
                    break
                del job  # what it holds is not kept until the next one comes
        finally:
            loop.close()
