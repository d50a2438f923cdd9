"""The file that a snapshot is: one line of JSON that says what follows, then the bytes of a database.

    {"format":"sheetgrpc-snapshot","version":1,"schema_version":1,"incarnation":"...","created_at":"...","bytes":4096,...}

The digest is over the line as it reads without it, then the bytes: no bit of the file can change unseen. Nothing here
knows what kind of database it is.
"""

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import msgspec

from sheetgrpc.store.base import StoreRefused

FORMAT = "sheetgrpc-snapshot"
VERSION = 1

_LONGEST_HEADER = 4096  # bytes; ours are about 250
_CHUNK = 1 << 20


class Header(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a snapshot says of itself. `bytes` is the length of the database, `created_at` a time of ISO 8601 in UTC."""

    format: str = FORMAT
    version: int = VERSION
    schema_version: int  # of our tables in it
    incarnation: str  # of the store that it was taken from
    created_at: str
    bytes: int
    sha256: str = ""


class _Kind(msgspec.Struct, frozen=True):
    """The part of a header that every version has."""

    format: str = ""
    version: int = 0


class Snapshot:
    """A snapshot that was read once from end to end and found sound."""

    def __init__(self, file: BinaryIO, header: Header) -> None:
        self.header = header
        self._file = file

    def unpack(self, target: BinaryIO) -> None:
        """Copies the database; StoreRefused if the file has changed since it was checked."""
        self._file.seek(0)
        self._file.readline(_LONGEST_HEADER)
        if _digest(self.header, self._file, target.write) != self.header.sha256:
            raise StoreRefused("the snapshot changed while it was read; restore again")


def write_snapshot(file: Path, database: Path, header: Header, *, force: bool) -> Header:
    """Writes a snapshot of the database file beside `file`, then gives it its name; the header as it was written.

    StoreRefused where `file` is there already, unless `force`d. Raises OSError.
    """
    check_free(file, force=force)
    descriptor, name = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)  # for its owner only, as the database
    part = Path(name)
    try:
        with os.fdopen(descriptor, "r+b") as target, database.open("rb") as source:
            target.write(_line(msgspec.structs.replace(header, sha256="0" * 64)))
            header = msgspec.structs.replace(header, sha256=_digest(header, source, target.write))
            target.seek(0)
            target.write(_line(header))  # as long as the one before
            target.flush()
            os.fsync(target.fileno())
        _name(part, file, force=force)
    finally:
        part.unlink(missing_ok=True)
    sync_folder(file.parent)
    return header


@contextmanager
def read_snapshot(file: Path) -> Iterator[Snapshot]:
    """A snapshot, checked whole. StoreRefused, saying what is wrong with it."""
    try:
        opened = file.open("rb")
    except OSError as error:
        raise StoreRefused(f'the snapshot "{file}" cannot be read: {error.strerror}') from error
    with opened:
        try:
            header = _read_header(file, opened)
            if _digest(header, opened) != header.sha256:
                raise StoreRefused(f'the snapshot "{file}" is damaged: its digest is another; take another one')
        except OSError as error:
            raise StoreRefused(f'the snapshot "{file}" cannot be read: {error.strerror}') from error
        yield Snapshot(opened, header)


def check_free(file: Path, *, force: bool) -> None:
    """StoreRefused where a snapshot would overwrite something."""
    if not file.parent.is_dir():
        raise StoreRefused(f'there is no directory "{file.parent}" for the snapshot; make it first')
    if file.exists() and not file.is_file():
        raise StoreRefused(f'"{file}" is no ordinary file; choose another name')
    if not force and os.path.lexists(file):
        raise StoreRefused(f'"{file}" is there already; choose another name, or --force')


def sync_folder(folder: Path) -> None:
    """Makes the names in a directory as durable as their files."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _read_header(file: Path, opened: BinaryIO) -> Header:
    line = opened.readline(_LONGEST_HEADER)
    kind = _Kind()
    with suppress(msgspec.MsgspecError, UnicodeDecodeError):
        kind = msgspec.json.decode(line, type=_Kind)
    if kind.format != FORMAT:
        raise StoreRefused(f'"{file}" is no snapshot, or a damaged one')
    if kind.version != VERSION:
        raise StoreRefused(
            f'the snapshot "{file}" has format {kind.version}, this program reads {VERSION};'
            " use the program that wrote it"
        )
    try:
        header = msgspec.json.decode(line, type=Header)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise StoreRefused(f'the snapshot "{file}" is damaged in its first line; take another one') from error
    if _line(header) != line:  # spelled in another way than we do
        raise StoreRefused(f'the snapshot "{file}" is damaged in its first line; take another one')
    actual = os.fstat(opened.fileno()).st_size - len(line)
    if actual != header.bytes:
        raise StoreRefused(
            f'the snapshot "{file}" is damaged: {actual} bytes follow its first line, not {header.bytes}'
        )
    return header


def _line(header: Header) -> bytes:
    return msgspec.json.encode(header) + b"\n"


def _digest(header: Header, source: BinaryIO, write: Callable[[bytes], object] = len) -> str:
    """SHA-256 of the header without its digest and of the rest of `source`, which is copied as it is read."""
    digest = hashlib.sha256(_line(msgspec.structs.replace(header, sha256="")))
    while chunk := source.read(_CHUNK):
        digest.update(chunk)
        write(chunk)
    return digest.hexdigest()


def _name(part: Path, file: Path, *, force: bool) -> None:
    """Gives a finished file its name, in one step."""
    if not force:
        try:
            os.link(part, file)
        except FileExistsError:
            raise StoreRefused(f'"{file}" came about meanwhile; choose another name, or --force') from None
        except OSError:  # a file system without links
            check_free(file, force=False)
        else:
            return
    part.replace(file)
