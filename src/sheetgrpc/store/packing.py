"""Effects as they are kept: some hundreds to a piece, compressed, and of each piece which tables and kinds are in it.

A hundred thousand effects are two hundred rows, and a page of them is one. Knows no database.
"""

import zlib
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from sheetgrpc.planning.effects import RowEffect

PIECE = 500  # effects
_LEVEL = 1  # texts of one shape: more work saves next to nothing

_kinds = msgspec.json.Decoder(dict[str, list[int]])
_encode = msgspec.msgpack.Encoder().encode
_effects = msgspec.msgpack.Decoder(list[RowEffect])


class Piece(msgspec.Struct, frozen=True):
    """Some effects: the position of the first of all, table -> kinds as JSON, and they themselves."""

    first: int
    kinds: str
    body: bytes


class EffectFilter(msgspec.Struct, frozen=True):
    """Which effects are asked for; an empty filter lets everything through."""

    tables: tuple[str, ...] = ()
    kinds: tuple[int, ...] = ()

    def admits(self, effect: RowEffect) -> bool:
        """True where the effect is asked for."""
        return (not self.tables or effect.table in self.tables) and (not self.kinds or effect.kind in self.kinds)

    def may_admit(self, kinds: str) -> bool:
        """False where no effect of a piece is asked for; `kinds` is the piece's."""
        if not self.tables and not self.kinds:
            return True
        found: Mapping[str, list[int]] = _kinds.decode(kinds)
        wanted = (known for table, known in found.items() if not self.tables or table in self.tables)
        return any(not self.kinds or not set(known).isdisjoint(self.kinds) for known in wanted)


def pack(effects: Sequence[RowEffect]) -> list[Piece]:
    """The pieces of an execution's effects; zlib gives up the GIL, so this is for a thread."""
    pieces: list[Piece] = []
    for first in range(0, len(effects), PIECE):
        part = effects[first : first + PIECE]
        kinds: dict[str, list[int]] = {}
        for table, kind in sorted({(effect.table, effect.kind) for effect in part}):
            kinds.setdefault(table, []).append(kind)
        told = msgspec.json.encode(kinds).decode()
        pieces.append(Piece(first, told, zlib.compress(_encode(part), _LEVEL)))
    return pieces


def unpack(body: bytes) -> list[RowEffect]:
    """The effects of one piece."""
    return _effects.decode(zlib.decompress(body))


def wanted_pieces(pieces: Sequence[tuple[int, str]], after: int, wanted: EffectFilter) -> list[int]:
    """Where the pieces begin that may hold a wanted effect with a position beyond `after`."""
    beginnings = [first for first, _ in pieces]
    reached = bisect_right(beginnings, after + 1) - 1  # the piece that the next position is in
    return [first for first, kinds in pieces[max(reached, 0) :] if wanted.may_admit(kinds)]


def admitted(first: int, body: bytes, after: int, wanted: EffectFilter) -> Iterator[tuple[int, RowEffect]]:
    """The wanted effects of a piece, with their positions."""
    for position, effect in enumerate(unpack(body), first):
        if position > after and wanted.admits(effect):
            yield position, effect
