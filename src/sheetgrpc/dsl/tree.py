"""A text as trees, nested calls in their places: for templates, printing, single statements. Sheets go by `parse`."""

from dataclasses import dataclass

from sheetgrpc.dsl.ast import Call
from sheetgrpc.dsl.diagnostics import Diagnostic, DiagnosticCode, Extent
from sheetgrpc.dsl.frames import Record, to_call
from sheetgrpc.dsl.limits import Limits
from sheetgrpc.dsl.reader import Reader

_DEFAULT = Limits()


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """The statements that parsed, the extent of each, and what is wrong with the others."""

    calls: tuple[Call, ...]
    diagnostics: tuple[Diagnostic, ...]
    extents: tuple[Extent, ...]


def parse_tree(text: str, limits: Limits = _DEFAULT) -> Tree:
    """Parses any text; never raises."""
    reader = Reader(text, limits, lift=False)
    records: list[Record] = []
    position = content_start(text)
    while position < len(text) and len(records) <= limits.statements:
        position = reader.read(position, len(records))
        records += reader.records
    diagnostics = reader.faults.listed()
    if len(records) > limits.statements:
        beyond = records[limits.statements]
        diagnostics.append(too_many(limits, Extent(beyond.start, beyond.end - beyond.start)))
        del records[limits.statements :]
    return Tree(
        calls=tuple([to_call(record) for record in records]),
        diagnostics=tuple(diagnostics),
        extents=tuple([Extent(record.start, record.end - record.start) for record in records]),
    )


def content_start(text: str) -> int:
    """Where a text begins: after a byte order mark, if it has one."""
    return 1 if text.startswith("\ufeff") else 0


def too_many(limits: Limits, first: Extent) -> Diagnostic:
    """What is said of the first statement beyond the limit; the rest is not read."""
    message = f"the sheet has more than {limits.statements:,} statements; the rest was not read"
    return Diagnostic(DiagnosticCode.LIMIT_EXCEEDED, message, first, "split the sheet")
