"""One YAML mapping on its way to becoming a value: hands out its keys by type and notes what is wrong with them.

Knows types of values and the words of messages, no rule about catalogs. Every method notes its problems at the place
they stand and answers with something harmless, so that one mistake does not hide the next or breed others.
"""

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from enum import StrEnum
from typing import TypeVar

from sheetgrpc.catalog.model import Scalar
from sheetgrpc.catalog.reading import Fields, Items, Leaf, Node, Position, Problems
from sheetgrpc.catalog.values import show

Choice = TypeVar("Choice", bound=StrEnum)
IDENT = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*", re.ASCII)


class Form:
    """A mapping of the file. `where` opens every message about it, such as `verb "cbu.close"`; "" for the file."""

    def __init__(self, node: Node, at: Position, where: str, problems: Problems) -> None:
        """`at` is where the mapping's own key stands."""
        self.at = at
        self.where = where
        self._problems = problems
        self._fields = node if isinstance(node, Fields) else Fields(at, {})
        self._silent = False
        if not isinstance(node, Fields):
            self.problem("must be a mapping of keys to values")
            self._silent = True  # that its keys are missing too goes without saying

    def problem(self, message: str, key: str | None = None) -> None:
        """Notes a problem, at `key` if that is there."""
        self.note(self.at if key is None else self.place(key), message)

    def note(self, at: Position, message: str) -> None:
        """Notes a problem at any place."""
        if not self._silent:
            self._problems.add(at, f"{self.where}: {message}" if self.where else message)

    def place(self, key: str) -> Position:
        """Where `key` stands, or the mapping's own place."""
        entry = self._fields.entries.get(key)
        return entry.at if entry else self.at

    def __contains__(self, key: str) -> bool:
        return key in self._fields.entries

    def keys(self) -> tuple[str, ...]:
        """Its keys, in source order."""
        return tuple(self._fields.entries)

    def only(self, known: Iterable[str]) -> None:
        """Notes every key that is not one of `known`."""
        names = tuple(known)
        for key, entry in self._fields.entries.items():
            if key not in names:
                self.note(entry.at, f'unknown key "{key}"{suggest(key, names, offer=True)}')

    def leaf(self, key: str) -> Scalar:
        """The scalar at `key`, None where there is none; None is also what `null` says."""
        node = self._node(key)
        if node is None or isinstance(node, Leaf):
            return None if node is None else node.value
        self.problem(f'"{key}" must be a single value', key)
        return None

    def text(self, key: str, *, required: bool = False) -> str | None:
        """The string at `key`; not the empty one."""
        value = self._checked(key, "a string", lambda value: isinstance(value, str) and value != "", required=required)
        return value if isinstance(value, str) else None

    def flag(self, key: str) -> bool:
        """The boolean at `key`, False where there is none."""
        return self._checked(key, "true or false", lambda value: isinstance(value, bool)) is True

    def count(self, key: str, *, least: int, most: int = 2**31 - 1) -> int | None:
        """The integer at `key`, from `least` to `most`."""
        wanted = f"an integer from {least:,} to {most:,}" if most < 2**31 - 1 else f"an integer of {least} or more"

        def fits(value: Scalar) -> bool:
            return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most

        value = self._checked(key, wanted, fits)
        return value if isinstance(value, int) else None

    def number(self, key: str) -> int | Decimal | None:
        """The integer or decimal at `key`."""
        value = self._checked(key, "a number", lambda value: type(value) in (int, Decimal))
        return value if isinstance(value, int | Decimal) else None

    def choice(self, key: str, enum: type[Choice], noun: str, *, required: bool = False) -> Choice | None:
        """The word at `key` as one of `enum`."""
        word = self.text(key, required=required)
        if word is None:
            return None
        known = [member.value for member in enum]
        if word in known:
            return enum(word)
        self.problem(f'unknown {noun} "{word}"{suggest(word, known, offer=True)}', key)
        return None

    def scalars(self, key: str) -> tuple[Scalar, ...]:
        """The list of scalars at `key`."""
        node = self._node(key)
        if node is None:
            return ()
        if not isinstance(node, Items):
            self.problem(f'"{key}" must be a list, such as [a, b]', key)
            return ()
        for item in node.items:
            if not isinstance(item, Leaf):
                self.note(item.at, f'"{key}" must hold single values')
        return tuple(item.value for item in node.items if isinstance(item, Leaf))

    def texts(self, key: str) -> tuple[str, ...]:
        """The list of strings at `key`, each once."""
        found: list[str] = []
        for value in self.scalars(key):
            if not isinstance(value, str) or not value:
                self.problem(f'"{key}" must hold strings; put {show(value)} in quotes', key)
            elif value in found:
                self.problem(f'"{key}" has "{value}" twice', key)
            else:
                found.append(value)
        return tuple(found)

    def form(self, key: str, where: str) -> "Form | None":
        """The mapping at `key`."""
        node = self._node(key)
        return None if node is None else Form(node, self.place(key), self._inside(where), self._problems)

    def forms(self, key: str, noun: str) -> Mapping[str, "Form"]:
        """The mapping of mappings at `key`, by name; `noun` is what each is."""
        node = self._node(key)
        if node is None or (isinstance(node, Leaf) and node.value is None):
            return {}
        if not isinstance(node, Fields):
            self.problem(f'"{key}" must be a mapping of names to {noun}s', key)
            return {}
        return {
            name: Form(entry.node, entry.at, self._inside(f'{noun} "{name}"'), self._problems)
            for name, entry in node.entries.items()
        }

    def is_null(self, key: str) -> bool:
        """True where `key` is there and says null."""
        node = self._node(key)
        return isinstance(node, Leaf) and node.value is None

    def is_empty(self, key: str) -> bool:
        """True where `key` holds an empty list."""
        node = self._node(key)
        return isinstance(node, Items) and not node.items

    def is_mapping(self, key: str) -> bool:
        """True where `key` holds a mapping."""
        return isinstance(self._node(key), Fields)

    def _node(self, key: str) -> Node | None:
        entry = self._fields.entries.get(key)
        return entry.node if entry else None

    def _checked(self, key: str, wanted: str, fits: Callable[[Scalar], bool], *, required: bool = False) -> Scalar:
        value = self.leaf(key)
        if key not in self:
            if required:
                self.problem(f'"{key}" is missing')
        elif isinstance(self._node(key), Leaf) and not fits(value):
            self.problem(f'"{key}" must be {wanted}, not {show(value)}', key)
        return value if fits(value) else None

    def _inside(self, where: str) -> str:
        return f"{self.where}, {where}" if self.where else where


def suggest(word: str, known: Iterable[str], *, offer: bool = False) -> str:
    """`; did you mean "x"?` or nothing; with `offer` the known names where none is close."""
    names = sorted(known)
    close = difflib.get_close_matches(word, names, n=1)
    if close:
        return f'; did you mean "{close[0]}"?'
    return f"; known here: {', '.join(names)}" if offer and names else ""
