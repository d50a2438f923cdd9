"""Checks every statement against the catalog and binds names to what they stand for, shape by shape.

In: parsed columns, a catalog, what is known of the database. Out: drafts (statements that give the same arguments of
the same verb, with storable cells), findings, references, and what is still wanted from the database. Nothing here
orders anything.
"""

from array import array
from collections.abc import Mapping, Sequence

import msgspec

from sheetgrpc.catalog.loading import arguments_by_name
from sheetgrpc.catalog.model import Argument, Catalog, KeyType, Type, Verb
from sheetgrpc.dsl.ast import List, Symbol
from sheetgrpc.dsl.columns import Columns, Group, Kind
from sheetgrpc.dsl.diagnostics import DiagnosticCode
from sheetgrpc.planning import trees
from sheetgrpc.planning.drafts import Draft, Drafts
from sheetgrpc.planning.findings import BINDING, VERB, Closest, Finding
from sheetgrpc.planning.model import Column, Key, Known, Reference, Wanted
from sheetgrpc.planning.naming import Naming, Place, offer_symbols
from sheetgrpc.planning.required import Given, check_required
from sheetgrpc.planning.values import Problem, accepts, article, mismatch, store_cells

_UNKNOWN_TYPE = ""  # of a symbol whose statement is itself wrong: no more is said of it


class Binding(msgspec.Struct):
    """What binding a sheet found. `needs` has, by statement, the statements whose symbols it uses."""

    drafts: list[Draft]
    findings: list[Finding]
    references: list[Reference]
    wanted: Wanted
    symbols: dict[str, int]
    needs: list[tuple[int, ...]]


def bind(sheet: Columns, catalog: Catalog, known: Known) -> Binding:
    """Binds a parsed sheet. Where `known` is not complete, names it lacks become `wanted` instead of findings."""
    return _Binder(sheet, catalog, known).bind()


class _Binder:
    """One pass over one sheet."""

    def __init__(self, sheet: Columns, catalog: Catalog, known: Known) -> None:
        self.sheet = sheet
        self.catalog = catalog
        self.known = known
        self.symbols: dict[str, int] = {}
        self.types: dict[str, str] = {}  # symbol -> entity type
        self.used: set[str] = set()
        self.findings: list[Finding] = []
        self.wanted_symbols: dict[str, None] = {}
        self.drafts = Drafts()
        self.needs: list[tuple[int, ...]] = [()] * sheet.count
        # Bindings first, so that a symbol may be used above the statement that binds it.
        for group in sheet.groups:
            self._collect_bindings(group)
        self.close_symbols = Closest(self.symbols)
        self.close_verbs = Closest(catalog.verbs)
        hint = "refer to a row of this sheet by its symbol" if self.symbols else "SearchEntities finds keys by name"
        self.naming = Naming(known, hint, self.findings.append)

    def bind(self) -> Binding:
        """The pass."""
        for group in self.sheet.groups:
            self._bind_group(group)
        self._report_unused()
        return self._answer()

    def _answer(self) -> Binding:
        naming, drafts = self.naming, self.drafts.listed()
        naming.references.sort(key=lambda reference: reference.statement_index)  # inside a statement: as written
        return Binding(
            drafts=drafts,
            findings=self.findings,
            references=offer_symbols(naming.references, drafts, self.catalog.entities.values()),
            wanted=Wanted(
                references={kind: list(texts) for kind, texts in naming.wanted_references.items()},
                keys={kind: list(keys) for kind, keys in naming.wanted_keys.items()},
                symbols=list(self.wanted_symbols),
            ),
            symbols=self.symbols,
            needs=self.needs,
        )

    def _collect_bindings(self, group: Group) -> None:
        if group.bindings is None:
            return
        verb = self.catalog.verbs.get(group.verb)
        entity = verb.entity if verb is not None and verb.binds and verb.entity is not None else _UNKNOWN_TYPE
        fresh = dict(zip(group.bindings, group.indexes, strict=True))
        if len(fresh) < len(group.indexes) or not self.symbols.keys().isdisjoint(fresh):
            self._collect_with_duplicates(group, entity)
        else:
            self.symbols.update(fresh)
            self.types.update(dict.fromkeys(group.bindings, entity))
        if verb is not None and not verb.binds:
            for index, name in zip(group.indexes, group.bindings, strict=True):
                lifted = index in self.sheet.lifted
                message = f"{verb.name} makes no key that {_show(name)} could stand for"
                hint = "write the inner call as a statement of its own" if lifted else "remove :as"
                self._find(index, BINDING, DiagnosticCode.BINDS_NOTHING, message, hint)

    def _collect_with_duplicates(self, group: Group, entity: str) -> None:
        for name, index in zip(group.bindings or (), group.indexes, strict=True):
            first = self.symbols.get(name)
            if first is None:
                self.symbols[name], self.types[name] = index, entity
                continue
            earlier, later = min(first, index), max(first, index)
            if earlier == index:  # groups are met in the order of their first statements, not statement by statement
                self.symbols[name], self.types[name] = index, entity
            message = f"@{name} is bound already by statement {earlier}"
            self._find(later, BINDING, DiagnosticCode.DUPLICATE_BINDING, message, "choose another name")

    def _bind_group(self, group: Group) -> None:
        verb = self.catalog.verbs.get(group.verb)
        if verb is None:
            self._report_unknown_verb(group)
            for cells, kind, name in zip(group.columns, group.kinds, group.names, strict=True):
                self._use_symbols(group, name, kind, cells)
            return
        if verb.deprecated:
            hint = f"use {verb.replaced_by}" if verb.replaced_by else ""
            for index in group.indexes:
                self._find(index, VERB, DiagnosticCode.DEPRECATED_VERB, f"{verb.name} is deprecated", hint)
        columns: dict[str, Column] = {}
        given: dict[str, Given] = {}
        for written, kind, cells in zip(group.names, group.kinds, group.columns, strict=True):
            argument = self._match_argument(group, verb, written, columns)
            if argument is None:
                self._use_symbols(group, written, kind, cells)
            else:
                given[argument.name] = Given(written, kind)
                columns[argument.name] = self._bind_column(group, argument, written, kind, cells)
        self.findings += check_required(self.catalog, group, verb, columns, given)
        self.drafts.add(group, verb, columns)

    def _report_unknown_verb(self, group: Group) -> None:
        close = self.close_verbs.find(group.verb)
        hint = f"did you mean {close}?" if close else "ListVerbs lists what this server knows"
        for index in group.indexes:
            self._find(index, VERB, DiagnosticCode.UNKNOWN_VERB, f"there is no verb {group.verb}", hint)

    def _match_argument(self, group: Group, verb: Verb, written: str, taken: Mapping[str, object]) -> Argument | None:
        argument = arguments_by_name(verb).get(written)
        if argument is None:
            close = Closest(arguments_by_name(verb)).find(written)
            hint = f"did you mean :{close}?" if close else f"{verb.name} takes {_list_arguments(verb)}"
            message = f"{verb.name} has no argument :{written}"
            for index in group.indexes:
                self._find(index, written, DiagnosticCode.UNKNOWN_ARGUMENT, message, hint, at_name=True)
        elif argument.name in taken:
            message = f"argument :{argument.name} is given twice, the second time as :{written}"
            for index in group.indexes:
                self._find(index, written, DiagnosticCode.DUPLICATE_ARGUMENT, message, "remove one", at_name=True)
            return None
        return argument

    def _bind_column(
        self, group: Group, argument: Argument, written: str, kind: Kind, cells: Sequence[object]
    ) -> Column:
        column = Column(argument=argument.name, column=argument.column, type=argument.type, values=[None] * len(cells))
        if kind is Kind.NIL:
            return column
        if kind is Kind.SYMBOL and argument.type is Type.LIST:  # a list of one
            items = [List((Symbol(str(cell)),)) for cell in cells]
            self._bind_trees(group, argument, written, Kind.LIST, items, column)
        elif kind is Kind.SYMBOL and argument.type is Type.JSON:
            self._bind_trees(group, argument, written, kind, [Symbol(str(cell)) for cell in cells], column)
        elif kind is Kind.SYMBOL:
            self._bind_symbols(group, argument, written, cells, column)
        elif argument.type is Type.ENTITY and argument.entity is not None:
            self._bind_entities(group, argument, written, kind, cells, column)
        elif argument.type is Type.JSON or (argument.type is Type.LIST and kind is Kind.LIST):
            self._bind_trees(group, argument, written, kind, cells, column)
        elif accepts(argument, kind):
            column.values, problems = store_cells(argument, cells)
            self._report(group, written, problems)
        else:
            self._report(group, written, mismatch(argument, kind, len(cells)))
        return column

    def _bind_symbols(
        self, group: Group, argument: Argument, written: str, names: Sequence[object], column: Column
    ) -> None:
        """A column of symbols: each cell is the statement that binds it, or the key of a committed symbol."""
        if argument.type not in _KEY_TYPES:
            self._report(group, written, mismatch(argument, Kind.SYMBOL, len(names)))
            self._use_symbols(group, written, Kind.SYMBOL, names)
            return
        texts: list[str] = names  # type: ignore[assignment]  # SYMBOL columns hold str
        self.used.update(texts)
        column.refs = array("i", [self.symbols.get(name, -1) for name in texts])
        complete = min(column.refs, default=0) >= 0
        wanted = argument.entity if argument.type is Type.ENTITY else None
        kinds = set(map(self.types.get, texts))
        if not complete or kinds - {wanted, _UNKNOWN_TYPE}:
            self._check_symbols(group, argument, written, texts, column)
        needs = self.needs
        for index, name, ref in zip(group.indexes, texts, column.refs, strict=True):
            if ref == index:
                self._need(index, written, [(name, ref)])
            elif ref >= 0:
                needs[index] += (ref,)
        if argument.type is Type.STRING:
            column.as_text = any(self._key_type(kind) is KeyType.INTEGER for kind in kinds if kind)

    def _check_symbols(
        self, group: Group, argument: Argument, written: str, names: Sequence[str], column: Column
    ) -> None:
        for row, name in enumerate(names):
            index = group.indexes[row]
            entity = self.types.get(name)
            if entity is None:
                bound = self._committed(index, written, name)
                if bound is None:
                    continue
                entity, key = bound
                column.values[row] = str(key) if argument.type is Type.STRING else key
            self._check_symbol_type(index, argument, written, name, entity)

    def _check_symbol_type(self, index: int, argument: Argument, written: str, name: str, entity: str) -> None:
        if entity == _UNKNOWN_TYPE:
            return
        if argument.type is Type.ENTITY:
            fits = entity == argument.entity
            message = (
                f"argument :{argument.name} wants {article(argument.entity or '')}; {_show(name)} is {article(entity)}"
            )
        else:
            key_type = self._key_type(entity)
            fits = argument.type in (Type.STRING, Type.JSON) or _KEY_FITS[key_type] is argument.type
            message = (
                f"argument :{argument.name} wants {article(argument.type.value)};"
                f" {_show(name)} is {article(entity)}, whose key is {article(key_type.value)}"
            )
        if not fits:
            self._find(index, written, DiagnosticCode.TYPE_MISMATCH, message, symbol=name)

    def _key_type(self, entity: str | None) -> KeyType:
        found = self.catalog.entities.get(entity or "")
        return found.key.type if found is not None else KeyType.STRING

    def _committed(self, index: int, written: str, name: str) -> tuple[str, Key] | None:
        """A symbol this sheet does not bind: an earlier sheet of the session may have."""
        if name in self.sheet.damaged:
            return None
        bound = self.known.symbols.get(name)
        if bound is not None:
            return bound
        if not self.known.complete:
            self.wanted_symbols[name] = None
            return None
        close = self.close_symbols.find(name)
        hint = f"did you mean @{close}?" if close else "bind it with :as on the statement that makes it"
        self._find(index, written, DiagnosticCode.UNDEFINED_SYMBOL, f"nothing binds @{name}", hint, symbol=name)
        return None

    def _need(self, index: int, written: str, uses: Sequence[tuple[str, int]]) -> None:
        """Statement `index` uses symbols of these statements."""
        for name, ref in uses:
            if ref == index:
                message = f"the statement uses @{name}, which it makes itself"
                hint = "refer to another statement"
                self._find(index, written, DiagnosticCode.SELF_REFERENCE, message, hint, symbol=name)
        self.needs[index] += tuple([ref for _, ref in uses if ref != index])

    def _bind_entities(
        self, group: Group, argument: Argument, written: str, kind: Kind, cells: Sequence[object], column: Column
    ) -> None:
        entity = self.catalog.entities[argument.entity or ""]
        if kind is Kind.INTEGER and entity.key.type is KeyType.INTEGER:
            keys: list[int] = list(cells)  # type: ignore[arg-type]  # INTEGER columns hold int
            for index, key in zip(group.indexes, keys, strict=True):
                self.naming.bind_key(entity, Place(index, argument.name, written), key)
            column.values = list(keys)
        elif kind in (Kind.STRING, Kind.WORD, Kind.REFERENCE):
            bind, named = self.naming.bind_text, kind is Kind.REFERENCE
            column.values = [
                bind(entity, Place(index, argument.name, written), str(text), named=named)
                for index, text in zip(group.indexes, cells, strict=True)
            ]
        else:
            self._report(group, written, mismatch(argument, kind, len(cells)))

    def _bind_trees(
        self, group: Group, argument: Argument, written: str, kind: Kind, cells: Sequence[object], column: Column
    ) -> None:
        if kind in (Kind.STRING, Kind.WORD, Kind.REFERENCE) and argument.type is Type.JSON:
            column.values = [trees.encode(cell) for cell in cells]
            return
        for row, (index, cell) in enumerate(zip(group.indexes, cells, strict=True)):
            pieces, problems, names = trees.store(argument, cell, self._tree_scope(index, argument, written))
            self._report(group, written, [Problem(row, *problem) for problem in problems])
            self.used.update(names)
            self._need(index, written, [(name, self.symbols[name]) for name in names if name in self.symbols])
            if any(isinstance(piece, int) for piece in pieces):
                column.trees = column.trees or {}
                column.trees[row] = pieces
            else:
                column.values[row] = "".join(piece for piece in pieces if isinstance(piece, str))

    def _tree_scope(self, index: int, argument: Argument, written: str) -> "trees.Scope":
        entity = self.catalog.entities.get(argument.entity or "")
        inner = argument.of if argument.type is Type.LIST and argument.of is not None else Type.JSON
        item = msgspec.structs.replace(argument, type=inner)

        def symbol(name: str) -> list[str | int]:
            bound: tuple[str, Key | None] | None = (self.types[name], None) if name in self.types else None
            bound = bound or self._committed(index, written, name)
            if bound is None:
                return ["null"]
            kind, key = bound
            self._check_symbol_type(index, item, written, name, kind)
            quoted = inner is Type.STRING and self._key_type(kind) is KeyType.INTEGER
            if key is not None:
                return [trees.encode(str(key) if quoted else key)]
            return ['"', self.symbols[name], '"'] if quoted else [self.symbols[name]]

        def bind_text(text: str, place: str, *, named: bool) -> Key | None:
            if entity is None:
                return text
            return self.naming.bind_text(entity, Place(index, argument.name, written, place), text, named=named)

        def bind_key(key: int) -> Key:
            return key if entity is None else self.naming.bind_key(entity, Place(index, argument.name, written), key)

        return trees.Scope(symbol=symbol, name=bind_text, key=bind_key, entity=entity)

    def _use_symbols(self, group: Group, written: str, kind: Kind, cells: Sequence[object]) -> None:
        """Of a value that cannot be checked further, its symbols still can."""
        for index, cell in zip(group.indexes, cells, strict=True):
            names = [str(cell)] if kind is Kind.SYMBOL else list(trees.symbols(cell))
            self.used.update(names)
            for name in names:
                if name not in self.symbols:
                    self._committed(index, written, name)
            self._need(index, written, [(name, self.symbols[name]) for name in names if name in self.symbols])

    def _report_unused(self) -> None:
        if self.sheet.diagnostics:
            return  # a statement that did not parse may use it
        for name in self.symbols.keys() - self.used:
            if not name.startswith("__") and self.types[name] != _UNKNOWN_TYPE:
                message = f"@{name} is bound and not used in this sheet"
                self._find(self.symbols[name], BINDING, DiagnosticCode.UNUSED_BINDING, message, symbol=name)

    def _report(self, group: Group, written: str, problems: Sequence[Problem]) -> None:
        for problem in problems:
            self._find(group.indexes[problem.row], written, problem.code, problem.message, problem.hint)

    def _find(
        self,
        index: int,
        part: str,
        code: DiagnosticCode,
        message: str,
        hint: str = "",
        symbol: str = "",
        *,
        at_name: bool = False,
    ) -> None:
        self.findings.append(Finding(index, part, code, message, hint, symbol, at_name))


_KEY_TYPES = frozenset({Type.ENTITY, Type.UUID, Type.STRING, Type.INTEGER})  # a symbol may stand for one of these
_KEY_FITS = {KeyType.UUID: Type.UUID, KeyType.INTEGER: Type.INTEGER, KeyType.STRING: Type.STRING}


def _list_arguments(verb: Verb) -> str:
    names = [f":{argument.name}" for argument in verb.arguments]
    more = [f"and {len(names) - 20} more"] if len(names) > 20 else []
    return ", ".join(names[:20] + more) or "no arguments"


def _show(symbol: str) -> str:
    """A symbol for people, who know nothing of those that lifted calls get."""
    return "the inner call" if symbol.startswith("__") else f"@{symbol}"
