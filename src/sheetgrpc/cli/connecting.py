"""From an address to a client, and from what goes wrong on the way to one clear line."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

import grpc

from sheetgrpc.cli.failure import FAILED, NOT_BEGUN, Failure
from sheetgrpc.client import NEVER, Client, DeadlineExceeded, SheetgrpcError, Unavailable, connect
from sheetgrpc.v1.session_pb2 import Client as ClientMessage

PROBE_SECONDS = 5.0
PATIENCE = 600.0
"""Seconds for calls whose time grows with the sheet."""


@asynccontextmanager
async def reaching(address: str) -> AsyncIterator[Client]:
    """A client of a server that answers.

    Raises:
        Failure: there is none, it is lost on the way, or it refuses something that the command did not expect.
    """
    await _probe(address)
    async with connect(address) as client:
        try:
            yield client
        except (Unavailable, DeadlineExceeded) as error:
            raise Failure(f"lost the server at {address}: {error}", NOT_BEGUN) from error
        except SheetgrpcError as error:
            raise Failure(_explain(error), FAILED) from error


def introduce(address: str) -> ClientMessage:
    """What this program says of itself when it creates a session."""
    return ClientMessage(name="sheetgrpc-cli", version=version("sheetgrpc"), target=address)


async def _probe(address: str) -> None:
    try:
        async with connect(address, retry=NEVER, deadline=PROBE_SECONDS) as client:
            await client.control.server_info()
    except (Unavailable, DeadlineExceeded) as error:
        raise Failure(
            f"no server at {address}: {_reason(error)} (start one with `sheetgrpc serve`, or name it with --address)",
            NOT_BEGUN,
        ) from error
    except SheetgrpcError as error:
        if error.code is grpc.StatusCode.UNIMPLEMENTED:
            raise Failure(f"what answers at {address} is not a sheetgrpc server", NOT_BEGUN) from error
        raise Failure(_explain(error), NOT_BEGUN) from error


def _explain(error: SheetgrpcError) -> str:
    told = [violation for violation in error.violations if violation.description not in error.message]
    return "\n".join([str(error), *(f"  {one.field}: {one.description}" for one in told)])


def _reason(error: SheetgrpcError) -> str:
    """Why nothing answers, in a few words: gRPC tells a chain of causes, of which the last is the one."""
    if isinstance(error, DeadlineExceeded):
        return "no answer in time"
    return error.message.rsplit(": ", 1)[-1].rstrip("]").lower()
