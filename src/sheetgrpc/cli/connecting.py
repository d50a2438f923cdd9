"""From an address (and a token) to a client, and from what goes wrong on the way to one clear line."""

import os
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path

import grpc

from sheetgrpc.cli.failure import FAILED, NOT_BEGUN, Failure
from sheetgrpc.cli.options import given_token
from sheetgrpc.cli.terminal import stderr
from sheetgrpc.client import (
    NEVER,
    Client,
    DeadlineExceeded,
    InsecureTokenWarning,
    SheetgrpcError,
    Unavailable,
    connect,
)
from sheetgrpc.v1.session_pb2 import Client as ClientMessage

PROBE_SECONDS = 5.0
PATIENCE = 600.0
"""Seconds for calls whose time grows with the sheet."""
TOKEN_VARIABLE = "SHEETGRPC_TOKEN"  # noqa: S105  # a name, not a secret


def read_token() -> str:
    """The token to send: that of --token, else of the environment; "" for none. `@FILE` is read from that file.

    Raises:
        Failure: the file cannot be read.
    """
    text = given_token.get() or os.environ.get(TOKEN_VARIABLE, "")
    if not text.startswith("@"):
        return text
    try:
        return Path(text[1:]).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise Failure(f"the token file {text[1:]} cannot be read: {why}", NOT_BEGUN) from error


@asynccontextmanager
async def reaching(address: str) -> AsyncIterator[Client]:
    """A client of a server that answers.

    Raises:
        Failure: there is none, it is lost on the way, or it refuses something that the command did not expect.
    """
    token = read_token()
    await _probe(address, token)
    async with connect(address, token=token) as client:
        try:
            yield client
        except (Unavailable, DeadlineExceeded) as error:
            raise Failure(f"lost the server at {address}: {error}", NOT_BEGUN) from error
        except SheetgrpcError as error:
            raise Failure(_explain(error), FAILED) from error


def introduce(address: str) -> ClientMessage:
    """What this program says of itself when it creates a session."""
    return ClientMessage(name="sheetgrpc-cli", version=version("sheetgrpc"), target=address)


async def _probe(address: str, token: str) -> None:
    try:
        with warnings.catch_warnings(record=True, action="always", category=InsecureTokenWarning) as told:
            reached = connect(address, token=token, retry=NEVER, deadline=PROBE_SECONDS)
        for one in told:
            stderr().line(("warning: ", "bold yellow"), str(one.message))
        warnings.simplefilter("ignore", InsecureTokenWarning)  # once is enough
        async with reached as client:
            await client.control.server_info()
    except ValueError as error:  # the token is none
        raise Failure(str(error), NOT_BEGUN) from error
    except (Unavailable, DeadlineExceeded) as error:
        raise Failure(
            f"no server at {address}: {_reason(error)} (start one with `sheetgrpc serve`, or name it with --address)",
            NOT_BEGUN,
        ) from error
    except SheetgrpcError as error:
        if error.code is grpc.StatusCode.UNIMPLEMENTED:
            raise Failure(f"what answers at {address} is not a sheetgrpc server", NOT_BEGUN) from error
        if error.code is grpc.StatusCode.UNAUTHENTICATED:
            hint = f"give a token that the server at {address} knows with --token or {TOKEN_VARIABLE}"
            raise Failure(f"{error}\n  {hint}", NOT_BEGUN) from error
        raise Failure(_explain(error), NOT_BEGUN) from error


def _explain(error: SheetgrpcError) -> str:
    told = [violation for violation in error.violations if violation.description not in error.message]
    return "\n".join([str(error), *(f"  {one.field}: {one.description}" for one in told)])


def _reason(error: SheetgrpcError) -> str:
    """Why nothing answers, in a few words: gRPC tells a chain of causes, of which the last is the one."""
    if isinstance(error, DeadlineExceeded):
        return "no answer in time"
    return error.message.rsplit(": ", 1)[-1].rstrip("]").lower()
