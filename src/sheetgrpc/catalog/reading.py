"""YAML as a tree in which everything knows its place, and the list of what is wrong with it.

Holds no rule about catalogs. Reads parser events rather than loaded objects, for three reasons: every key and value
keeps its line, numbers are taken from their text (a decimal never passes through a float), and plain words mean what
the YAML 1.2 core schema says: `NO`, `on` and `2024-01-31` are strings, only `true`, `false` and `null` are special.
An alias shares the node it names. How much a file can stand for is bounded: by nodes with every alias counted as if
written out, and by depth. Tags are refused.
"""

import re
from collections.abc import Iterable
from decimal import Decimal
from typing import TypeAlias

import msgspec
import yaml
from yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    CollectionStartEvent,
    DocumentStartEvent,
    Event,
    MappingStartEvent,
    ScalarEvent,
    SequenceStartEvent,
)

from sheetgrpc.catalog.model import Scalar

MAX_DEPTH = 16  # a catalog needs 7
MAX_NODES = 200_000  # 2,000 verbs of ten arguments
_QUICK = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # not every build has it
_INTEGER = re.compile(r"[-+]?[0-9]{1,40}", re.ASCII)
_DECIMAL = re.compile(r"[-+]?(?:[0-9]{1,40}\.[0-9]{0,40}|\.[0-9]{1,40})", re.ASCII)
_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys(("null", "Null", "NULL", "~", ""), None),
}


class Position(msgspec.Struct, frozen=True, order=True):
    """A place in the text, both from 1."""

    line: int
    column: int


class Leaf(msgspec.Struct, frozen=True):
    """A scalar."""

    at: Position
    value: Scalar


class Items(msgspec.Struct, frozen=True):
    """A YAML sequence."""

    at: Position
    items: tuple["Node", ...]


class Entry(msgspec.Struct, frozen=True):
    """One value of a mapping, and where its key stands."""

    at: Position
    node: "Node"


class Fields(msgspec.Struct, frozen=True):
    """A YAML mapping; keys are as written, in source order."""

    at: Position
    entries: dict[str, Entry]


Node: TypeAlias = Leaf | Items | Fields


class Problems:
    """What is wrong with one file, collected in any order and told in source order."""

    def __init__(self, filename: str) -> None:
        self._filename = filename
        self._found: list[tuple[Position, str]] = []

    def __bool__(self) -> bool:
        """True once something is wrong."""
        return bool(self._found)

    def add(self, at: Position, message: str) -> None:
        """Notes one problem."""
        self._found.append((at, message))

    def lines(self) -> tuple[str, ...]:
        """Everything noted as "file:line: message", in source order, each once."""
        ordered = sorted(self._found, key=lambda found: found[0])
        return tuple(dict.fromkeys(f"{self._filename}:{at.line}: {message}" for at, message in ordered))


def read(text: str, problems: Problems) -> Node | None:
    """The tree of `text`. What is wrong goes to `problems`; None where the text is no YAML at all, or empty."""
    last = Position(1, 1)
    try:
        reader = _Reader(problems)
        for event in _events(text):
            last = _position(event)
            reader.take(event)
        return reader.root
    except _UnreadableError as error:
        problems.add(error.at, error.message)
    except yaml.reader.ReaderError as error:
        problems.add(_position_of_index(text, int(error.position)), "a character that YAML does not allow")
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        problems.add(Position(mark.line + 1, mark.column + 1) if mark else last, f"not YAML: {_sentence(error)}")
    except (ValueError, OverflowError):  # the scanner trusts the numbers in \U escapes and %YAML
        problems.add(last, "not YAML: a number in an escape or a directive is out of range (just after this line)")
    return None


class _UnreadableError(Exception):
    """The text is YAML of a kind that a catalog may not be."""

    def __init__(self, at: Position, message: str) -> None:
        super().__init__(message)
        self.at = at
        self.message = message


class _Open:
    """A collection that has begun: `entries` for a mapping, `items` for a sequence."""

    def __init__(self, at: Position, *, mapping: bool) -> None:
        self.at = at
        self.mapping = mapping
        self.entries: dict[str, Entry] = {}
        self.items: list[Node] = []
        self.key: Node | None = None
        self.anchor: str | None = None
        self.started = 0  # nodes counted before this one

    def close(self) -> Node:
        return Fields(self.at, self.entries) if self.mapping else Items(self.at, tuple(self.items))


class _Reader:
    """Builds the tree from events with a stack of its own: nesting costs no recursion."""

    def __init__(self, problems: Problems) -> None:
        self.root: Node | None = None
        self._problems = problems
        self._stack: list[_Open] = []
        self._documents = 0
        self._nodes = 0
        self._anchors: dict[str, tuple[Node, int]] = {}

    def take(self, event: Event) -> None:
        """One event more."""
        at = _position(event)
        match event:
            case DocumentStartEvent():
                self._documents += 1
                if self._documents > 1:
                    raise _UnreadableError(at, 'a second document; a catalog is one: remove the "---" line')
            case AliasEvent():
                self._place(self._aliased(event.anchor or "", at))
            case ScalarEvent():
                self._refuse_tag(event.tag, at, plain=event.tag == "!")
                self._refuse_unstorable(event.value, at)
                leaf = Leaf(at, _scalar(event.value) if not event.style and event.tag is None else event.value)
                self._count(1, at)
                self._remember(event.anchor, leaf, 1)
                self._place(leaf)
            case MappingStartEvent() | SequenceStartEvent():
                self._open(event, at)
            case CollectionEndEvent():
                closed = self._stack.pop()
                node = closed.close()
                self._remember(closed.anchor, node, self._nodes - closed.started)
                self._place(node)

    def _open(self, event: CollectionStartEvent, at: Position) -> None:
        self._refuse_tag(event.tag, at, plain=False)
        if len(self._stack) >= MAX_DEPTH:
            raise _UnreadableError(at, f"nested deeper than {MAX_DEPTH}")
        opened = _Open(at, mapping=isinstance(event, MappingStartEvent))
        opened.anchor, opened.started = event.anchor, self._nodes
        self._count(1, at)
        self._stack.append(opened)

    def _refuse_tag(self, tag: str | None, at: Position, *, plain: bool) -> None:
        if tag is not None and not plain:  # a lone "!" only says that a scalar is a string
            raise _UnreadableError(at, f'tag "{tag}": tags are not allowed here')

    def _refuse_unstorable(self, text: str, at: Position) -> None:
        if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
            raise _UnreadableError(at, "an escape for a character that no database takes (NUL or a lone surrogate)")

    def _count(self, nodes: int, at: Position) -> None:
        self._nodes += nodes
        if self._nodes > MAX_NODES:
            raise _UnreadableError(at, f"the file stands for more than {MAX_NODES:,} values")

    def _remember(self, anchor: str | None, node: Node, size: int) -> None:
        if anchor is not None:
            self._anchors[anchor] = node, size

    def _aliased(self, name: str, at: Position) -> Node:
        if name not in self._anchors:  # an anchor is known once its node has ended, so a node never holds itself
            raise _UnreadableError(at, f'alias "*{name}" has no anchor "&{name}" before it')
        node, size = self._anchors[name]
        self._count(size, at)
        return node

    def _place(self, node: Node) -> None:
        if not self._stack:
            self.root = node
            return
        owner = self._stack[-1]
        if not owner.mapping:
            owner.items.append(node)
        elif owner.key is None:
            owner.key = node
        else:
            self._enter(owner, owner.key, node)
            owner.key = None

    def _enter(self, owner: _Open, key: Node, node: Node) -> None:
        if not isinstance(key, Leaf):
            self._problems.add(key.at, "a key must be a plain word")
            return
        name = _key_text(key.value)
        if (first := owner.entries.get(name)) is not None:
            self._problems.add(key.at, f'"{name}" stands here twice; first in line {first.at.line}')
            return
        owner.entries[name] = Entry(key.at, node)


def _events(text: str) -> Iterable[Event]:
    """By libyaml, in a fifth of the time; what it refuses, by the Python scanner: its words are the same everywhere."""
    try:
        return list(yaml.parse(text, Loader=_QUICK))
    except (yaml.YAMLError, ValueError, OverflowError):
        return yaml.parse(text, Loader=yaml.SafeLoader)


def _scalar(text: str) -> Scalar:
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    return Decimal(text) if _DECIMAL.fullmatch(text) else text


def _key_text(value: Scalar) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "null" if value is None else str(value)


def _position(event: Event) -> Position:
    mark = event.start_mark
    return Position(mark.line + 1, mark.column + 1) if mark else Position(1, 1)


def _position_of_index(text: str, index: int) -> Position:
    before = text[:index]
    return Position(before.count("\n") + 1, index - before.rfind("\n"))


def _sentence(error: yaml.MarkedYAMLError) -> str:
    context = f"{error.context}: " if error.context else ""
    return f"{context}{error.problem or 'cannot be read'}"
