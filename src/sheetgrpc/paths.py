"""The one way from a name to a path: below a folder, or not at all.

Every name that becomes a path of ours goes through `safe_join` (a bundled catalog's, a handler module's, those of its
files). A file that the operator names by its path (`--catalog`, `--allow`, a snapshot) is his to choose and does not.
Knows no other part of the service.
"""

import os
import re
import stat
from pathlib import Path

_MOST_CHARACTERS = 1024
# What some system takes for more than a piece of a name: separators, drives and streams, wildcards, control characters.
_ODD = re.compile(r'[\\:*?"<>|\x00-\x1f\x7f]')
_DEVICES = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?:\..*)?", re.IGNORECASE)
_PERCENT = re.compile(r"%[0-9a-fA-F]{2}")


class UnsafePath(ValueError):
    """A name that leads out of its folder, or might on some system. The text says why, and never where to."""


def safe_join(folder: Path, name: str) -> Path:
    """Where `name`, pieces with "/" between, lies below `folder`; every link resolved.

    Raises:
        UnsafePath: it is absolute, has "..", a character or a name that means something to some system, or a link that
            leads elsewhere.
        OSError: there is no such thing.
    """
    pieces = [piece for piece in _pieces(name) if piece != "."]
    if not pieces:
        raise UnsafePath("it names nothing")
    for piece in pieces:
        _check(piece)
    root = folder.resolve(strict=True)
    try:
        found = root.joinpath(*pieces).resolve(strict=True)
    except RuntimeError as error:  # links in a circle, before Python 3.13
        raise UnsafePath("its links lead round in a circle") from error
    if not found.is_relative_to(root) or found == root:
        raise UnsafePath("it leads out of its folder")
    return found


def read_below(folder: Path, name: str, most: int) -> bytes:
    """The bytes of the plain file `name` below `folder`, read once.

    Raises:
        UnsafePath: as `safe_join`; it is no plain file, or larger than `most` bytes, or was swapped meanwhile.
        OSError: it cannot be read.
    """
    found = safe_join(folder, name)
    # Not to wait for a pipe that has no writer, nor to follow a link that has been put there since.
    with open(found, "rb", opener=lambda path, _: os.open(path, _FLAGS)) as file:
        opened = os.fstat(file.fileno())
        if not stat.S_ISREG(opened.st_mode):
            raise UnsafePath("it is no plain file")
        if safe_join(folder, name) != found or not os.path.samestat(opened, found.stat()):
            raise UnsafePath("it was swapped while it was opened")
        read = file.read(most + 1)
    if len(read) > most:
        raise UnsafePath(f"it is larger than {most:,} bytes")
    return read


_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def _pieces(name: str) -> list[str]:
    if len(name) > _MOST_CHARACTERS:
        raise UnsafePath(f"it has more than {_MOST_CHARACTERS} characters")
    if name.startswith("/"):
        raise UnsafePath("it is absolute")
    return name.split("/")


def _check(piece: str) -> None:
    if not piece:
        raise UnsafePath("it has an empty piece")
    if piece == "..":
        raise UnsafePath('it has ".."')
    if _ODD.search(piece) or not piece.isprintable():
        raise UnsafePath("it has a character that no name should have")
    if _PERCENT.search(piece):
        raise UnsafePath("it is percent-encoded")
    if piece != piece.strip() or piece.endswith("."):
        raise UnsafePath("a piece begins or ends with a space, or ends with a dot")
    if _DEVICES.fullmatch(piece):
        raise UnsafePath("it names a device of some system")
