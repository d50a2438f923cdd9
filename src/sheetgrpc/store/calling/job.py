"""A batch of calls in a handler's thread, and its talk with the owner of the connection.

The thread runs handlers one after the other. What one of them asks of the database goes to the owner (the writer's
thread on SQLite, the loop on PostgreSQL), who waits for such questions and does nothing else meanwhile, and the thread
waits for the answer: so neither holds anything that the other wants. Whoever stops a job waits for nobody: the owner
is told, the run is rolled back, and a handler that goes on gets Cancelled as soon as it asks for something. What it
answers after that is nobody's.
"""

import asyncio
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import SimpleQueue
from threading import Lock
from time import perf_counter_ns

import msgspec
import structlog

from sheetgrpc.handler import Cancelled, Refused
from sheetgrpc.planning.model import Emitted, ErrorCode, HandlerFault, Key, Results, StatementError
from sheetgrpc.store.calling.asking import End, Question
from sheetgrpc.store.calling.call import Statement, StatementCall, refusal
from sheetgrpc.store.calling.values import key_of

log = structlog.get_logger(__name__)


class Outcome(msgspec.Struct, frozen=True):
    """How one call ended."""

    index: int
    key: Key | None
    error: StatementError | None
    emitted: list[Emitted]
    micros: int


class Done(msgspec.Struct, frozen=True):
    """The thread has come to the end of its job, or could not: `error` is a fault of ours."""

    outcomes: list[Outcome]
    error: BaseException | None = None


class Stopped:
    """The job is not to be waited for any more."""


Message = Question | End | Done | Stopped


class Job:
    """`run` is for the handler's thread, `answer` and `fail` are for the owner, `stop` is for anybody."""

    def __init__(
        self,
        statements: Sequence[Statement],
        results: Results,
        post: Callable[[Message], None],
        *,
        collect: bool,
        dry_run: bool = False,
    ) -> None:
        """`post` hands a message to the owner, from any thread. `collect`: goes on after a failure."""
        self.stopped = False
        self._statements = statements
        self._results = results
        self._post = post
        self._collect = collect
        self._dry_run = dry_run
        self._answers: SimpleQueue[tuple[object, BaseException | None]] = SimpleQueue()
        self._awaiting: tuple[asyncio.AbstractEventLoop, asyncio.Task[object]] | None = None
        self._lock = Lock()

    def run(self, loop: asyncio.AbstractEventLoop) -> None:
        """Runs the handlers, and tells the owner; `loop` is the thread's own, for async ones."""
        outcomes: list[Outcome] = []
        error: BaseException | None = None
        try:
            for statement in self._statements:
                if self.stopped:
                    return
                outcome = self._one(statement, loop)
                outcomes.append(outcome)
                if outcome.error is not None and not self._collect:
                    break
        except Cancelled:
            return
        except BaseException as fault:  # noqa: BLE001  # the owner's, who would wait for ever
            error = fault
        self._tell(Done(outcomes, error))

    def answer(self, value: object) -> None:
        """Answers what was asked last."""
        self._answers.put((value, None))

    def fail(self, error: BaseException) -> None:
        """Answers it with an error."""
        self._answers.put((None, error))

    def stop(self) -> None:
        """Ends it, as far as anybody but its handler is concerned."""
        with self._lock:
            if self.stopped:
                return
            self.stopped = True
            awaiting = self._awaiting
        self._answers.put((None, Cancelled()))
        self._tell(Stopped())
        if awaiting is not None:
            loop, task = awaiting
            with suppress(RuntimeError):  # its thread has ended
                loop.call_soon_threadsafe(task.cancel)

    def _tell(self, message: Message) -> None:
        with suppress(RuntimeError):  # the owner's loop is closed: nobody waits
            self._post(message)

    def _one(self, statement: Statement, loop: asyncio.AbstractEventLoop) -> Outcome:
        if statement.doomed is not None:
            return Outcome(statement.index, None, statement.doomed, [], 0)
        self._results.note(statement.index)
        began = perf_counter_ns()
        call = StatementCall(statement, self._ask, lambda: self.stopped, dry_run=self._dry_run)
        key, error = self._call(statement, call, loop)
        if call.asked and self._collect:
            self._tell(End(well=error is None))
        micros = min((perf_counter_ns() - began) // 1000, 2**31 - 1)
        return Outcome(statement.index, key, error, call.emitted if error is None else [], micros)

    def _call(
        self, statement: Statement, call: StatementCall, loop: asyncio.AbstractEventLoop
    ) -> tuple[Key | None, StatementError | None]:
        try:
            function = statement.handler.function
            value = self._await(function, call, loop) if statement.handler.is_async else function(call)
        except Refused as refused:
            return None, call.error or refusal(refused)
        except BaseException as error:  # noqa: BLE001  # a handler's fault must end its statement, not the thread
            if self.stopped:
                raise Cancelled from None
            return None, call.error or _failed(statement, error)
        if self.stopped:
            raise Cancelled
        if call.error is not None:
            return None, call.error
        return _checked(statement, value)

    def _await(self, function: Callable[..., object], call: StatementCall, loop: asyncio.AbstractEventLoop) -> object:
        async def awaited() -> object:
            task = asyncio.current_task()
            assert task is not None, "a coroutine runs in a task"
            with self._lock:
                if self.stopped:
                    raise Cancelled
                self._awaiting = loop, task
            return await function(call)  # type: ignore[misc]  # it is a coroutine function

        try:
            return loop.run_until_complete(awaited())
        finally:
            with self._lock:
                self._awaiting = None
            _cancel_left(loop)

    def _ask(self, question: Question) -> object:
        if self.stopped:
            raise Cancelled
        self._tell(question)
        value, error = self._answers.get()
        if error is not None:
            raise error
        return value


def _cancel_left(loop: asyncio.AbstractEventLoop) -> None:
    """Tasks that a handler began and did not wait for end with it."""
    left = asyncio.all_tasks(loop)
    if left:
        for task in left:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))


def _checked(statement: Statement, value: object) -> tuple[Key | None, StatementError | None]:
    """What a handler answered, as the key of its statement."""
    if value is None:
        if not statement.bound:
            return None, None
        return None, _wrong(f"the handler of {statement.verb} answered no key, and :as needs one")
    if statement.entity is None:
        return None, _wrong(f"the handler of {statement.verb} answered something, and its verb has no entity")
    key = key_of(statement.entity, value)
    if key is None:
        return None, _wrong(f"the handler of {statement.verb} answered what is no key of {statement.entity.name}")
    return key, None


def _failed(statement: Statement, error: BaseException) -> StatementError:
    """What is told of an exception: that there was one, and how to find it in the log."""
    error_id = uuid.uuid4().hex
    log.error("handler.failed", verb=statement.verb, index=statement.index, error_id=error_id, exc_info=error)
    return _wrong(f"the handler of {statement.verb} failed (error {error_id}); report this id to who runs the server")


def _wrong(message: str) -> StatementError:
    return HandlerFault(ErrorCode.HANDLER_FAILED, message)
