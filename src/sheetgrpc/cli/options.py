"""The arguments that several commands share, with their help, and how they are read."""

import re
import sys
from collections.abc import AsyncIterator, Sequence
from contextvars import ContextVar
from datetime import timedelta
from pathlib import Path
from typing import Annotated, TypeVar, get_args

from cyclopts import Parameter, Token

from sheetgrpc.cli.failure import NOT_BEGUN, Failure
from sheetgrpc.config import Settings

T = TypeVar("T")

STDIN = "/dev/stdin"
"""What `-` stands for (main.py says it so to cyclopts, which takes a bare dash for an option)."""

Address = Annotated[
    str, Parameter(name="--address", env_var="SHEETGRPC_ADDRESS", help="HOST:PORT at which the server listens.")
]
SheetFile = Annotated[str, Parameter(help="The sheet; - reads standard input.")]
AsJson = Annotated[bool, Parameter(name="--json", help="Print one JSON document instead of text.")]

DEFAULT_ADDRESS = "127.0.0.1:50051"
MAX_PRIORITY = 100
"""The highest that the wire takes, and below zero the lowest."""

_NUMBER = re.compile(r"[+-]?[0-9]{1,9}", re.ASCII)

given_token: ContextVar[str] = ContextVar("given_token", default="")
"""What stands after --token, which every command takes (main.py)."""


def read_sheet(file: str) -> tuple[str, str]:
    """The name to show for a sheet, and its text byte for byte.

    Raises:
        Failure: it cannot be read, or is not UTF-8.
    """
    name = "<stdin>" if file == STDIN else file
    try:
        raw = sys.stdin.buffer.read() if file == STDIN else Path(file).read_bytes()
        return name, raw.decode("utf-8")
    except OSError as error:
        raise Failure(f"{name} cannot be read: {error.strerror}", NOT_BEGUN) from error
    except UnicodeDecodeError as error:
        raise Failure(f"{name} is not UTF-8: byte {error.start} is wrong", NOT_BEGUN) from error


async def first(count: int, items: AsyncIterator[T]) -> list[T]:
    """The first `count` items, or as many as there are."""
    found: list[T] = []
    if count > 0:
        async for item in items:
            found.append(item)
            if len(found) == count:
                break
    return found


def read_word(choices: object, tokens: Sequence[Token]) -> str:
    """One of a Literal's words, in any case and with dashes if people like."""
    word = tokens[0].value.upper().replace("-", "_")
    if word not in get_args(choices):
        raise ValueError(f'"{tokens[0].value}" is none of {", ".join(get_args(choices)).lower()}')
    return word


def read_duration(_: object, tokens: Sequence[Token]) -> timedelta:
    """A time as the server's settings have it: seconds, or a number with its unit."""
    (setting,) = [setting for setting in Settings.describe() if setting.name == "execution_timeout"]
    seconds = setting.read(tokens[0].value)
    assert isinstance(seconds, float), "the setting is one in seconds"
    return timedelta(seconds=seconds)


def read_priority(_: object, tokens: Sequence[Token]) -> int:
    """A priority in the queue, refused here already where the server would."""
    text = tokens[0].value
    if _NUMBER.fullmatch(text) is None or abs(int(text)) > MAX_PRIORITY:
        raise ValueError(f'"{text}" is no whole number from -{MAX_PRIORITY} to {MAX_PRIORITY}')
    return int(text)


Priority = Annotated[
    int,
    Parameter(
        converter=read_priority,
        allow_leading_hyphen=True,
        help=f"Runs before what waits with a lower one; -{MAX_PRIORITY} to {MAX_PRIORITY}.",
    ),
]
