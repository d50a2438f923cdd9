"""The tree that a sheet parses to: calls with named values.

Plain values are plain Python (`str`, `int`, `Decimal`, `bool`, `None`); what needs telling apart from a string has a
node of its own. Nodes hold no positions: a span is asked of the source by statement (see `source.py`), so that the
common path pays nothing for it. Equality is by content: `parse(print(tree)) == tree`.
"""

from decimal import Decimal
from typing import TypeAlias

import msgspec


class Symbol(msgspec.Struct, frozen=True, gc=False):
    """`@name`: the key that the statement bound to `name` produced."""

    name: str


class Reference(msgspec.Struct, frozen=True, gc=False):
    """`<text>`: an entity named by text, to be resolved to a key."""

    text: str


class Word(msgspec.Struct, frozen=True, gc=False):
    """A bare constant such as ASSET_OWNER: the same as a string in meaning, kept apart so that it prints bare."""

    text: str


class List(msgspec.Struct, frozen=True):
    """`[a b c]`."""

    items: tuple["Value", ...]


class Map(msgspec.Struct, frozen=True):
    """`{:key value}`; keys are unique and keep their order."""

    items: tuple[tuple[str, "Value"], ...]


class Argument(msgspec.Struct, frozen=True):
    """`:name value` of a call, the name as it was written."""

    name: str
    value: "Value"


class Call(msgspec.Struct, frozen=True):
    """`(verb :name value ... :as @binding)`; `verb` with its dots, arguments in source order without `:as`."""

    verb: str
    arguments: tuple[Argument, ...]
    binding: str | None = None


Value: TypeAlias = str | int | Decimal | bool | Symbol | Reference | Word | List | Map | Call | None
