"""Arguments that should be there and are not: required always or under a condition, parents; nil where none may be."""

from collections.abc import Iterator, Mapping, Sequence

from sheetgrpc.catalog.loading import arguments_by_name
from sheetgrpc.catalog.model import Argument, Catalog, Verb, VerbKind
from sheetgrpc.dsl.columns import Group, Kind
from sheetgrpc.dsl.diagnostics import DiagnosticCode
from sheetgrpc.planning.findings import Finding
from sheetgrpc.planning.model import Column
from sheetgrpc.planning.values import article, store_default


def check_required(
    catalog: Catalog, group: Group, verb: Verb, columns: Mapping[str, Column], kinds: Mapping[str, Kind]
) -> Iterator[Finding]:
    """What the statements of one shape lack."""
    for argument in verb.arguments:
        if argument.name in columns:
            if kinds[argument.name] is Kind.NIL:
                yield from _check_nil(group, verb, argument)
        elif argument.required and not argument.has_default:
            yield from _report(group, range(len(group.indexes)), verb, argument, "")
        elif argument.required_when is not None:
            yield from _check_condition(group, verb, argument, columns)
    yield from _check_parent(catalog, group, verb, kinds)


def _check_nil(group: Group, verb: Verb, argument: Argument) -> Iterator[Finding]:
    if argument.required:
        code, message = DiagnosticCode.MISSING_REQUIRED, f"argument :{argument.name} of {verb.name} is required"
    elif argument.name in verb.by or argument.column in verb.natural_key:
        code, message = DiagnosticCode.INVALID_VALUE, f"argument :{argument.name} finds rows and cannot be nil"
    else:
        return
    for index in group.indexes:
        yield Finding(index, argument.name, code, message, "give it a value")


def _check_condition(group: Group, verb: Verb, argument: Argument, columns: Mapping[str, Column]) -> Iterator[Finding]:
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
        yield from _report(group, rows, verb, argument, reason)
    elif other.has_default and store_default(other.default) in wanted:
        yield from _report(group, range(len(group.indexes)), verb, argument, reason)


def _report(group: Group, rows: Sequence[int], verb: Verb, argument: Argument, reason: str) -> Iterator[Finding]:
    message = f"{verb.name} needs :{argument.name}{reason}"
    for row in rows:
        hint = f"add :{argument.name} and a value"
        yield Finding(group.indexes[row], "verb", DiagnosticCode.MISSING_REQUIRED, message, hint)


def _check_parent(catalog: Catalog, group: Group, verb: Verb, kinds: Mapping[str, Kind]) -> Iterator[Finding]:
    if verb.kind not in (VerbKind.CREATE, VerbKind.ENSURE) or verb.entity is None:
        return
    parent = catalog.entities[verb.entity].parent
    if parent is None:
        return
    ways = [argument for argument in verb.arguments if argument.entity == parent]
    if any(kinds.get(way.name, Kind.NIL) is not Kind.NIL or way.default is not None for way in ways):
        return
    hint = f"add :{ways[0].name}" if ways else f"{verb.name} has no argument for one"
    message = f"{verb.entity} belongs to {article(parent)}, and none is given"
    for index in group.indexes:
        yield Finding(index, "verb", DiagnosticCode.MISSING_PARENT, message, hint)
