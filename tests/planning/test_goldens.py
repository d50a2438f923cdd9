"""Goldens of analysis: a rule, a sheet for the harbour, and all that is said of it, in tests/golden/planning/*.txt.

To add a case add its title and text; `python tests/planning/test_goldens.py` fills in what comes out: read it before
you believe it.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.planning.harbour import CATALOG, KNOWN

from sheetgrpc.dsl.diagnostics import DiagnosticCode
from sheetgrpc.dsl.source import Source
from sheetgrpc.planning.analysis import analyse
from sheetgrpc.planning.model import Analysis, Known, Plan

GOLDENS = Path(__file__).parents[1] / "golden" / "planning"
TITLE, RESULT = "=== ", "---"


def read_cases(path: Path) -> Iterator[tuple[str, str, str]]:
    """Title, sheet and expected result of each case."""
    for block in path.read_text(encoding="utf-8").split("\n" + TITLE)[1:]:
        title, _, rest = block.partition("\n")
        text, _, expected = rest.partition(f"\n{RESULT}")
        yield title, text, expected.strip("\n")


CASES = [
    pytest.param(text, expected, id=f"{path.stem}: {title}")
    for path in sorted(GOLDENS.glob("*.txt"))
    for title, text, expected in read_cases(path)
]


def show(text: str) -> str:
    """What analysis finds in a sheet: findings, references, and the plan if there is one."""
    analysis = analyse(text, CATALOG, KNOWN)
    lines = [*show_diagnostics(text, analysis), *show_references(analysis)]
    return "\n".join([*lines, *show_plan(analysis.plan)] if analysis.plan is not None else lines)


def show_diagnostics(text: str, analysis: Analysis) -> Iterator[str]:
    source = Source(text)
    for diagnostic in analysis.diagnostics:
        extent = diagnostic.extent
        span = source.span(extent)
        about = text[extent.offset : extent.offset + extent.length]
        index = "" if diagnostic.statement_index is None else f" #{diagnostic.statement_index}"
        severity = "" if diagnostic.severity == "ERROR" else " (warning)"
        yield f"{span.line}:{span.column} '{about}'{index} {diagnostic.code}{severity}: {diagnostic.message}"
        if diagnostic.hint:
            yield f"    hint: {diagnostic.hint}"


def show_references(analysis: Analysis) -> Iterator[str]:
    for reference in analysis.references:
        found = "open" if reference.entity_id is None else repr(reference.entity_id)
        yield f"reference {reference.ref_id}: {reference.entity_type} <{reference.text}> is {found}"
        if reference.hint:
            yield f"    hint: {reference.hint}"


def show_plan(plan: Plan) -> Iterator[str]:
    """Batches in run order; a cell `@3` is the key that statement 3 makes."""
    for at in range(0, len(plan.batches), 4):
        number, start, stop, depth = plan.batches[at : at + 4]
        group = plan.groups[number]
        yield f"phase {depth}: {group.verb}"
        for row in range(start, stop):
            cells = []
            for column in group.columns:
                pieces = (column.trees or {}).get(row)
                if column.refs is not None and column.refs[row] >= 0:
                    cells.append(f"{column.argument}=@{column.refs[row]}{' as text' if column.as_text else ''}")
                elif pieces is not None:
                    shown = "".join(piece if isinstance(piece, str) else f"@{piece}" for piece in pieces)
                    cells.append(f"{column.argument}={shown}")
                else:
                    cells.append(f"{column.argument}={column.values[row]!r}")
            yield f"    #{group.indexes[row]} {' '.join(cells)}"


@pytest.mark.parametrize(("text", "expected"), CASES)
def test_sheet_is_analysed_as_its_golden_says(text: str, expected: str) -> None:
    assert show(text) == expected


@pytest.mark.parametrize("code", DiagnosticCode)
def test_every_code_of_analysis_has_a_golden(code: DiagnosticCode) -> None:
    of_the_language = {DiagnosticCode.TOO_DEEP, DiagnosticCode.LIMIT_EXCEEDED}  # tests/dsl/test_limits.py
    assert code in of_the_language or any(f" {code}" in str(case.values[1]) for case in CASES)


@pytest.mark.parametrize(("text", "expected"), CASES)
def test_nothing_is_lost_when_the_database_is_asked_first(text: str, expected: str) -> None:
    """What the first pass wants is all that the second needs: it wants nothing more, and says the same."""
    wanted = analyse(text, CATALOG, Known()).wanted
    names = KNOWN.references
    known = Known(
        references={kind: {t: names[kind].get(t) for t in texts} for kind, texts in wanted.references.items()},
        keys={kind: KNOWN.keys[kind].intersection(keys) for kind, keys in wanted.keys.items()},
        symbols={name: KNOWN.symbols[name] for name in wanted.symbols if name in KNOWN.symbols},
        complete=True,
    )
    again = analyse(text, CATALOG, known)
    assert not again.wanted
    assert again.diagnostics == analyse(text, CATALOG, KNOWN).diagnostics
    assert again.references == analyse(text, CATALOG, KNOWN).references


def rewrite() -> None:
    for path in GOLDENS.glob("*.txt"):
        head = path.read_text(encoding="utf-8").split("\n" + TITLE)[0]
        blocks = [f"{TITLE}{title}\n{text}\n{RESULT}\n{show(text)}\n" for title, text, _ in read_cases(path)]
        path.write_text("\n".join([head.rstrip("\n") + "\n", *blocks]), encoding="utf-8")


if __name__ == "__main__":
    rewrite()
