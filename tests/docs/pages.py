"""The documents as tests see them: pages, their fenced blocks, links; and a shell that runs what they show.

A block ```` ```console ```` holds commands behind "$ " and what they print. A block with a file's name beside its
language (```` ```clojure fund.dsl ````) is that file, there for the commands below it.

What differs from run to run (ids, keys, times, the port) is not compared; an id that a page shows stands, in the
commands below it, for the one that was printed in its place. A line that is "..." stands for any lines, three dots
within a line for any text.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
ADDRESS = "127.0.0.1:50051"
SECONDS = 60
OPTIONAL = ("buf", "sqlite3")  # not everywhere; where they are, what is shown of them is run

_BLOCK = re.compile(r"^```([\w+-]*)(?: +(\S+))?\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_ULID = r"\b[0-7][0-9A-HJKMNP-TV-Z]{25}\b"
_UUID = r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"
_NAMES = (_ULID, _UUID)
_TIMES = (
    r"in \d+\.\d\d s\b",
    r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?: UTC|(?:\.\d+)?Z)",
    r"process with id \d+",
    r'"ms":[\d.]+',
)
_VARYING = re.compile("|".join(f"({one})" for one in (*_NAMES, *_TIMES)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A fenced block: its language, the file it is ("" for none), its text."""

    language: str
    file: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A command as a page shows it, and the lines that it is said to print."""

    command: str
    output: list[str]


def read(page: str) -> str:
    """The text of a page, named from the repository's root."""
    return (ROOT / page).read_text(encoding="utf-8")


def blocks(text: str) -> list[Block]:
    """Every fenced block of a page, in order."""
    return [Block(language=one[1], file=one[2] or "", text=one[3]) for one in _BLOCK.finditer(text)]


def prose(text: str) -> str:
    """A page without its fenced blocks."""
    return _BLOCK.sub("", text)


def commands(block: Block) -> Iterator[Shown]:
    """The commands of a console block."""
    for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
        command, *output = part.rstrip("\n").split("\n")
        yield Shown(command=command, output=output)


class Shell:
    """Runs the commands of one page in a folder of its own, against a server of its own."""

    def __init__(self, folder: Path) -> None:
        self.lacking: set[str] = set()  # programs that are not installed here
        self._folder = folder
        self._server: subprocess.Popen[str] | None = None
        self._address = ""
        self._names: dict[str, str] = {}  # an id as the page shows it -> as it came out here

    def close(self) -> None:
        """Ends the server."""
        if self._server is not None:
            self._server.terminate()
            self._server.communicate(timeout=SECONDS)

    def write(self, block: Block) -> None:
        """Makes the file that a block is."""
        (self._folder / block.file).write_text(self._here(block.text), encoding="utf-8")

    def check(self, shown: Shown) -> str:
        """What is wrong with what a page shows of a command; nothing if it is true, or cannot be tried here."""
        if shown.command.startswith("sheetgrpc serve") and shown.command.endswith("&"):
            return self._compare(shown, self.serve(shown.command.removesuffix("&")))
        program = shown.command.split()[0]
        if program in OPTIONAL and shutil.which(program, path=_path()) is None:
            self.lacking.add(program)
            return ""
        if self._server is None and program != "make":
            self.serve()
        # Making the environment is CI's first step; of `make demo` the rest is this.
        return self._compare(shown, self._run(shown.command.replace("make demo", "sheetgrpc demo")))

    def serve(self, command: str = "sheetgrpc serve") -> str:
        """Starts the page's server, on a free port; answers what it says."""
        self._server = subprocess.Popen(
            ["bash", "-c", f"exec {command} --listen 127.0.0.1:0"],
            cwd=self._folder,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._server.stdout is not None
        line = self._server.stdout.readline()
        self._address = line.removeprefix("listening on ").strip()
        return line

    def _run(self, command: str) -> str:
        ended = subprocess.run(
            ["bash", "-c", self._here(command)],
            cwd=self._folder,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=SECONDS,
            check=False,
            text=True,
        )
        return ended.stdout

    def _environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("SHEETGRPC_")}
        for name in ("FORCE_COLOR", "NO_COLOR", "COLUMNS", "LINES", "DATABASE_URL"):
            kept.pop(name, None)
        return {**kept, "PATH": _path(), "SHEETGRPC_ADDRESS": self._address, "PYTHONWARNINGS": "error"}

    def _here(self, text: str) -> str:
        """A page's text with its address and ids as they are in this run."""
        text = text.replace(ADDRESS, self._address) if self._address else text
        return _VARYING.sub(lambda found: self._names.get(found[0], found[0]), text)

    def _compare(self, shown: Shown, printed: str) -> str:
        text = re.sub(r"127\.0\.0\.1:\d{4,5}\b", ADDRESS, printed)
        text = "".join(f"{line.rstrip()}\n" for line in text.splitlines())
        names, pattern = _pattern(shown.output)
        found = re.fullmatch(pattern, text)
        if found is None:
            return f"$ {shown.command}\n{text}"
        self._names.update(zip(names, found.groups(), strict=True))
        return ""


def _pattern(lines: list[str]) -> tuple[list[str], str]:
    """The ids in these lines, and the expression that the output must match; a group of it stands for each id."""
    names: list[str] = []
    pattern = ""
    for line in lines:
        if line.strip() == "...":
            pattern += r"(?:.*\n)*?"
            continue
        for at, piece in enumerate(re.split("|".join(f"({one})" for one in (*_NAMES, *_TIMES)), line.rstrip())):
            if piece is None:
                continue
            kind = at % (len(_NAMES) + len(_TIMES) + 1)
            if not kind:
                pattern += re.escape(piece).replace(r"\.\.\.", ".*")
            elif kind <= len(_NAMES):
                names.append(piece)
                pattern += f"({_NAMES[kind - 1]})"
            else:
                pattern += _TIMES[kind - len(_NAMES) - 1]
        pattern += r"\n"
    return names, pattern


def _path() -> str:
    """Where programs are: those of this environment first."""
    return os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
