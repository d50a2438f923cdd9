"""Bearer tokens: how one is made, and the file that says whose each is. No I/O but in `read`.

A line of the file is `NAME ROLES HASH`: roles apart by commas or `-` for none, the SHA-256 of the token in hex. Blank
lines and what follows a `#` at the start of a line are left out. One name may have several lines: that is how a token
is replaced without a gap.

A plain SHA-256 is enough because a token is 256 random bits: there is nothing to guess, so nothing that a slow, salted
hash would make slower. That is also why tokens are made here and never chosen.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

MAX_FILE_BYTES = 1024 * 1024
PREFIX = "sgt_"
"""What every token begins with, so that one is recognised where it should not be."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,99}", re.ASCII)
_ROLE = re.compile(r"[a-z][a-z0-9_-]{0,39}", re.ASCII)
_HASH = re.compile(r"[0-9a-fA-F]{64}", re.ASCII)
_RESERVED = frozenset({"anonymous"})
_RANDOM_BYTES = 32
_NO_ROLES = "-"


class TokenFileError(Exception):
    """A token file cannot be used; the text names file and line, and never shows a hash."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Whose a token is."""

    name: str
    roles: frozenset[str]
    digest: bytes  # of the token: 32 bytes


@dataclass(frozen=True, slots=True)
class TokenFile:
    """All holders of a file, in its order."""

    holders: tuple[Holder, ...]

    def find(self, token: str) -> Holder | None:
        """Whose token it is. Takes as long for a token of the first line as for one of none."""
        digest = hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
        found = None
        for holder in self.holders:
            if hmac.compare_digest(holder.digest, digest):
                found = holder
        return found

    def names(self, role: str) -> frozenset[str]:
        """The names that have a role."""
        return frozenset(holder.name for holder in self.holders if role in holder.roles)


def make(name: str, roles: Iterable[str]) -> tuple[str, str]:
    """A new token, and the line of the file that makes it one. Raises ValueError: a name or role is not one."""
    token = PREFIX + secrets.token_urlsafe(_RANDOM_BYTES)
    line = f"{name} {','.join(sorted(set(roles))) or _NO_ROLES} {hashlib.sha256(token.encode()).hexdigest()}"
    if _read_line(line).name != name:
        raise ValueError("the name must not have blanks around it")
    return token, line


def read(path: str) -> TokenFile:
    """The file at a path. Raises TokenFileError."""
    try:
        with Path(path).open("rb") as file:
            raw = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise TokenFileError(f'the token file "{path}" cannot be read: {error.strerror}') from error
    return parse(raw, path)


def parse(raw: bytes, path: str) -> TokenFile:
    """The holders in a file's bytes; `path` is for messages. Raises TokenFileError and nothing else."""
    if len(raw) > MAX_FILE_BYTES:
        raise TokenFileError(f'the token file "{path}" has more than {MAX_FILE_BYTES:,} bytes')
    lines: dict[bytes, int] = {}
    holders: list[Holder] = []
    # Split by bytes: str.splitlines would take a dozen characters more for ends of lines.
    for number, line in enumerate(raw.split(b"\n"), start=1):
        try:
            text = line.decode("utf-8").strip()
            holder = None if not text or text.startswith("#") else _read_line(text)
        except ValueError as error:
            why = "is not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)
            raise TokenFileError(f'the token file "{path}", line {number}: {why}') from None
        if holder is None:
            continue
        first = lines.setdefault(holder.digest, number)
        if first != number:
            raise TokenFileError(f'the token file "{path}", line {number}: the token of line {first} again')
        holders.append(holder)
    if not holders:
        raise TokenFileError(f'the token file "{path}" has no token; `sheetgrpc token NAME` makes one')
    return TokenFile(tuple(holders))


def _read_line(line: str) -> Holder:
    """Raises ValueError that says what is wrong, without what may be a secret."""
    fields = line.split()
    if len(fields) != 3:  # name, roles, hash
        raise ValueError(f"must be NAME ROLES HASH, has {len(fields)} words")
    name, roles, digest = fields
    problems: Mapping[str, bool] = {
        "the name must be letters, digits and . _ @ + -, at most 100": _NAME.fullmatch(name) is None,
        f"the name {name[:20]} is the server's": name in _RESERVED,
        "the roles must be lower-case words apart by commas, or - for none": not _are_roles(roles),
        "the hash must be the SHA-256 of the token: 64 hexadecimal digits": _HASH.fullmatch(digest) is None,
    }
    for problem, there in problems.items():
        if there:
            raise ValueError(problem)
    held = frozenset() if roles == _NO_ROLES else frozenset(roles.split(","))
    return Holder(name=name, roles=held, digest=bytes.fromhex(digest))


def _are_roles(text: str) -> bool:
    return text == _NO_ROLES or all(_ROLE.fullmatch(role) for role in text.split(","))
