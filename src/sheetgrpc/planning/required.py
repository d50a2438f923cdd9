"""Arguments that should be there and are not: required always or under a condition, parents; nil where none may be."""

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from sheetgrpc.catalog.loading import arguments_by_name
from sheetgrpc.catalog.model import Argument, Catalog, Type, Verb, VerbKind
from sheetgrpc.dsl.columns import Group, Kind
from sheetgrpc.dsl.diagnostics import DiagnosticCode
from sheetgrpc.planning.findings import VERB, Finding
from sheetgrpc.planning.model import Column
from sheetgrpc.planning.values import article, store_default


class Given(msgspec.Struct, frozen=True):
    """An argument that the statements of a shape give: how its name is written, and the kind of its values."""

    written: str
    kind: Kind


def check_required(
    catalog: Catalog, group: Group, verb: Verb, columns: Mapping[str, Column], given: Mapping[str, Given]
) -> Iterator[Finding]:
    """What the statements of one shape lack."""
    for argument in verb.arguments:
        there = given.get(argument.name)
        if there is not None and there.kind is not Kind.NIL:
            continue
        if argument.required and (there is not None or not argument.has_default):
            yield from _report(group, range(len(group.indexes)), verb, argument, "", there)
        elif there is not None and (argument.name in verb.by or argument.column in verb.natural_key):
            message = f"argument :{argument.name} finds rows and cannot be nil"
            for index in group.indexes:
                yield Finding(index, there.written, DiagnosticCode.INVALID_VALUE, message, "give it a value")
        elif argument.required_when is not None:
            yield from _check_condition(group, verb, argument, columns, there)
    yield from _check_parent(catalog, group, verb, given)


def _check_condition(
    group: Group, verb: Verb, argument: Argument, columns: Mapping[str, Column], there: Given | None
) -> Iterator[Finding]:
    """`required_when`: judged by what the other argument is stored as, given or by default."""
    rule = argument.required_when
    if rule is None:
        return
    other = arguments_by_name(verb)[rule.argument]
    wanted = {store_default(value) for value in rule.values}
    reason = f" where :{other.name} is {' or '.join(map(str, rule.values))}"
    column = columns.get(other.name)
    if column is not None:
        rows = [row for row, value in enumerate(column.values) if value in wanted]
        yield from _report(group, rows, verb, argument, reason, there)
    elif other.has_default and store_default(other.default) in wanted:
        yield from _report(group, range(len(group.indexes)), verb, argument, reason, there)


def _report(
    group: Group, rows: Sequence[int], verb: Verb, argument: Argument, reason: str, there: Given | None
) -> Iterator[Finding]:
    """Missing altogether, or nil where a value must be."""
    message = f"{verb.name} needs :{argument.name}{reason}"
    for row in rows:
        index = group.indexes[row]
        if there is not None:
            yield Finding(index, there.written, DiagnosticCode.MISSING_REQUIRED, message, "give it a value, not nil")
        else:
            hint = f"add :{argument.name} and a value"
            yield Finding(index, VERB, DiagnosticCode.MISSING_REQUIRED, message, hint)


def _check_parent(catalog: Catalog, group: Group, verb: Verb, given: Mapping[str, Given]) -> Iterator[Finding]:
    if verb.kind not in (VerbKind.CREATE, VerbKind.ENSURE) or verb.entity is None:
        return
    parent = catalog.entities[verb.entity].parent
    if parent is None:
        return
    ways = [argument for argument in verb.arguments if argument.type is Type.ENTITY and argument.entity == parent]
    values = [way for way in ways if way.name in given and given[way.name].kind is not Kind.NIL]
    defaults = [way for way in ways if way.name not in given and way.default is not None]
    if values or defaults:
        return
    hint = f"add :{ways[0].name}" if ways else f"{verb.name} has no argument for one"
    message = f"{verb.entity} belongs to {article(parent)}, and none is given"
    for index in group.indexes:
        yield Finding(index, VERB, DiagnosticCode.MISSING_PARENT, message, hint)
