"""One unary call, from a request to its answer: deadline, retries, request id, trailers. Knows no service."""

import asyncio
import uuid
from dataclasses import dataclass
from typing import Generic, Protocol, TypedDict, TypeVar

import grpc

from sheetgrpc.client.errors import Metadata, SheetgrpcError, Unavailable, read_error
from sheetgrpc.client.retry import Retry

REPLAYED_KEY = "sheetgrpc-replayed"


class Reading(TypedDict, total=False):
    """What any read may be given."""

    deadline: float
    """Seconds for the call with all its tries; the client's default otherwise."""


class Creating(Reading, total=False):
    """What a command may be given that no session is there for yet."""

    request_id: str
    """One of the caller's own making; otherwise the SDK makes one, which covers its own retries alone."""


class Changing(Creating, total=False):
    """What any command of a session may be given."""

    expected_version: int
    """Version that the session must have, else Conflict / VERSION_CONFLICT."""


class Identified(Protocol):
    """A request with a request id."""

    request_id: str


class Versioned(Identified, Protocol):
    """A request that may name the version its session must have."""

    expected_version: int


Q = TypeVar("Q")
I = TypeVar("I", bound=Identified)  # noqa: E741  (no other letter says it better)
R = TypeVar("R")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply(Generic[R]):
    """The answer to a command; `replayed` if the command had been answered before."""

    response: R
    request_id: str
    replayed: bool


class Caller:
    """Sends unary calls, each with a deadline, and again where that is safe and may help."""

    def __init__(self, *, retry: Retry, deadline: float) -> None:
        """`deadline` is in seconds, for calls that are given none."""
        self.retry = retry
        self.deadline = deadline

    async def read(self, method: grpc.aio.UnaryUnaryMultiCallable[Q, R], request: Q, options: Reading) -> R:
        """The answer to a request that changes nothing."""
        response, _ = await self._send(method, request, options.get("deadline"))
        return response

    async def command(self, method: grpc.aio.UnaryUnaryMultiCallable[I, R], request: I, options: Creating) -> Reply[R]:
        """The answer to a request that changes something; gives it a request id first."""
        request.request_id = options.get("request_id") or new_request_id()
        try:
            response, trailers = await self._send(method, request, options.get("deadline"))
        except SheetgrpcError as error:
            error.request_id = request.request_id
            raise
        return Reply(
            response=response, request_id=request.request_id, replayed=dict(trailers).get(REPLAYED_KEY) == "true"
        )

    async def _send(
        self, method: grpc.aio.UnaryUnaryMultiCallable[Q, R], request: Q, deadline: float | None
    ) -> tuple[R, Metadata]:
        loop = asyncio.get_running_loop()
        end = loop.time() + (self.deadline if deadline is None else deadline)
        failures = 0
        while True:
            try:
                call = method(request, timeout=max(0.0, end - loop.time()))
                return await call, list(await call.trailing_metadata() or ())
            except grpc.aio.AioRpcError as refusal:
                error = read_error(refusal, list(refusal.trailing_metadata() or ()))
            except asyncio.CancelledError:
                if asked_for():
                    raise
                raise closed() from None
            failures += 1
            pause = self.retry.pause(error, failures)
            if pause is None or loop.time() + pause >= end:
                raise error
            await self.retry.sleep(pause)


def new_request_id() -> str:
    """A request id that no other command has."""
    return str(uuid.uuid4())


def asked_for() -> bool:
    """Whether a CancelledError is the task's own, not the call's below it."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def closed() -> SheetgrpcError:
    """What a call comes to whose client is closed under it."""
    return Unavailable("the client was closed before the call was answered", code=grpc.StatusCode.CANCELLED)
