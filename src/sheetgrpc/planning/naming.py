"""Entities named by key or by text: which key a text is, what stays open, what to look up (DESIGN section 4).

A reference never means a row of the same sheet; where its text is what a statement of the sheet gives such a row, the
reader is offered that statement's symbol.
"""

from collections.abc import Callable, Iterable, Sequence

import msgspec

from sheetgrpc.catalog.model import Entity, KeyType, VerbKind
from sheetgrpc.dsl.diagnostics import DiagnosticCode
from sheetgrpc.planning.drafts import Draft
from sheetgrpc.planning.findings import Finding
from sheetgrpc.planning.model import Key, Known, Reference
from sheetgrpc.planning.values import is_uuid, quote

_INT64 = range(-(2**63), 2**63)


class Place(msgspec.Struct, frozen=True, gc=False):
    """Where a name stands: the statement, its argument, how that was written, and the item if it is in a list."""

    index: int
    argument: str
    written: str
    item: str = ""


class Naming:
    """Binds the names of one sheet; what it cannot bind is open, wanted or reported."""

    def __init__(self, known: Known, hint: str, report: Callable[[Finding], None]) -> None:
        """`hint` goes with a key that no row has."""
        self.references: list[Reference] = []
        self.wanted_references: dict[str, dict[str, None]] = {}
        self.wanted_keys: dict[str, dict[Key, None]] = {}
        self._known = known
        self._hint = hint
        self._report = report

    def bind_text(self, entity: Entity, place: Place, text: str, *, named: bool) -> Key | None:
        """The key that a text is or names; None while it is open. `named` is for `<text>`, which is never a key."""
        if not named:
            if entity.key.type is KeyType.UUID and is_uuid(text):
                return self.bind_key(entity, place, text.lower())
            if entity.key.type is KeyType.INTEGER and _is_integer(text):
                return self.bind_key(entity, place, int(text))
            if entity.key.type is KeyType.STRING:
                if not self._known.complete:
                    self.wanted_keys.setdefault(entity.name, {})[text] = None
                elif text in self._known.keys.get(entity.name, ()):
                    return text
        return self._refer(entity, place, text)

    def bind_key(self, entity: Entity, place: Place, key: Key) -> Key:
        """A literal key, which a row must have."""
        if not self._known.complete:
            self.wanted_keys.setdefault(entity.name, {})[key] = None
        elif key not in self._known.keys.get(entity.name, ()):
            message = f"no {entity.name} has the key {quote(str(key))}"
            self._report(Finding(place.index, place.written, DiagnosticCode.INVALID_VALUE, message, self._hint))
        return key

    def _refer(self, entity: Entity, place: Place, text: str) -> Key | None:
        ref_id = f"{place.index}:{place.argument}{place.item}"
        key = self._known.resolutions.get(ref_id)
        if key is None:
            if not self._known.complete:
                self.wanted_references.setdefault(entity.name, {})[text] = None
            key = self._known.references.get(entity.name, {}).get(text)
        self.references.append(Reference(ref_id, place.index, place.argument, text, entity.name, key))
        return key


def _is_integer(text: str) -> bool:
    return text.isascii() and text.removeprefix("-").isdigit() and len(text) <= 20 and int(text) in _INT64


def offer_symbols(references: list[Reference], drafts: Sequence[Draft], entities: Iterable[Entity]) -> list[Reference]:
    """The references, with a hint for those that stay open and that this sheet itself may answer."""
    wanted: dict[str, set[str]] = {}
    for reference in references:
        if reference.entity_id is None:
            wanted.setdefault(reference.entity_type, set()).add(reference.text)
    if not wanted:
        return references
    makers = {entity.name: _makers(entity, wanted[entity.name], drafts) for entity in entities if entity.name in wanted}
    return [_offer(reference, makers) if reference.entity_id is None else reference for reference in references]


def _offer(reference: Reference, makers: dict[str, dict[str, list[tuple[int, str, str]]]]) -> Reference:
    for index, symbol, does in makers[reference.entity_type].get(reference.text, ()):
        if index != reference.statement_index:
            hint = f"statement {index} of this sheet {does} it: use @{symbol}"
            return msgspec.structs.replace(reference, hint=hint)
    return reference


def _makers(entity: Entity, wanted: set[str], drafts: Sequence[Draft]) -> dict[str, list[tuple[int, str, str]]]:
    """By text: the first two statements that bind a symbol of this type and give the row that text, and what they do.

    Two, because a statement is no answer to its own reference.
    """
    found: dict[str, list[tuple[int, str, str]]] = {}
    names = {entity.key.column, entity.display, *entity.search}
    for draft in drafts:
        if draft.verb.entity != entity.name or not draft.verb.binds or draft.bindings is None:
            continue
        does = "finds" if draft.verb.kind is VerbKind.SELECT else "makes"
        for column in draft.columns:
            if column.column not in names:
                continue
            for index, symbol, text in zip(draft.indexes, draft.bindings, column.values, strict=True):
                if isinstance(text, str) and text in wanted and symbol and not symbol.startswith("__"):
                    found.setdefault(text, []).append((index, symbol, does))
    return {text: sorted(makers)[:2] for text, makers in found.items()}
