"""A server process and a way to run the command line, both as people would."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import pytest

SECONDS = 60


def environment(**more: str) -> dict[str, str]:
    """The environment without anything that would change what a command says."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SHEETGRPC_")}
    for name in ("FORCE_COLOR", "NO_COLOR", "COLUMNS", "LINES", "DATABASE_URL"):
        kept.pop(name, None)
    return {**kept, "PYTHONWARNINGS": "error", "TERM": "xterm-256color", **more}


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "sheetgrpc", *map(str, arguments)]


@dataclass(frozen=True)
class Ended:
    """A command that ended; ids, keys and times stand as such in `out`."""

    code: int
    raw: str
    err: str

    @property
    def out(self) -> str:
        text = re.sub(r"\b[0-7][0-9A-HJKMNP-TV-Z]{25}\b", "<id>", self.raw)
        text = re.sub(r"\b[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f-]{21}\b", "<key>", text)
        return re.sub(r"in \d+\.\d\d s", "in <time>", text)


def run(*arguments: object, stdin: bytes = b"", **env: str) -> Ended:
    ended = subprocess.run(
        command(*arguments), input=stdin, capture_output=True, timeout=SECONDS, env=environment(**env), check=False
    )
    assert b"Traceback" not in ended.stderr, ended.stderr.decode()
    return Ended(ended.returncode, ended.stdout.decode(), ended.stderr.decode())


def serve(*arguments: object, stderr: int | IO[str] = subprocess.PIPE, **env: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command("serve", *arguments),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=stderr,
        env=environment(**env),
        text=True,
    )


def listening(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise AssertionError(process.communicate()[1])
    assert line.startswith("listening on ")
    return line.removeprefix("listening on ").strip()


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where a server listens that the tests of a file share."""
    with running(tmp_path_factory.mktemp("server")) as address:
        yield address


@contextmanager
def running(folder: Path, *arguments: object) -> Iterator[str]:
    """A server with its database in a folder; where it listens."""
    with (folder / "log").open("w") as log:  # a pipe that nobody reads is full after some hundred calls
        place = ("--listen", "127.0.0.1:0", "--database", f"sqlite:///{folder / 'shared.db'}")
        process = serve(*place, *arguments, stderr=log)
        try:
            yield listening(process)
        finally:
            process.terminate()
            process.communicate(timeout=SECONDS)


@pytest.fixture
def sheet(tmp_path: Path) -> "SheetWriter":
    return SheetWriter(tmp_path)


@dataclass(frozen=True)
class SheetWriter:
    """Writes a sheet and answers its path."""

    directory: Path

    def __call__(self, text: str, name: str = "sheet.dsl") -> Path:
        path = self.directory / name
        path.write_bytes(text.encode())
        return path
