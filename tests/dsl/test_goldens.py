"""Goldens of the language: a rule, a text, and what parsing comes to, in tests/golden/dsl/*.txt.

To add a case add its title and text; `python tests/dsl/test_goldens.py` fills in what comes out: read it before you
believe it.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from sheetgrpc.dsl.columns import Columns
from sheetgrpc.dsl.parser import parse
from sheetgrpc.dsl.printer import print_call
from sheetgrpc.dsl.source import Source
from sheetgrpc.dsl.tree import parse_tree

GOLDENS = Path(__file__).parents[1] / "golden" / "dsl"
TITLE, RESULT = "=== ", "---"


def read_cases(path: Path) -> Iterator[tuple[str, str, str]]:
    """Title, text and expected result of each case."""
    for block in path.read_text(encoding="utf-8").split("\n" + TITLE)[1:]:
        title, _, rest = block.partition("\n")
        text, _, expected = rest.partition(f"\n{RESULT}")
        yield title, text, expected.strip("\n")


CASES = [
    pytest.param(path.stem, text, expected, id=f"{path.stem}: {title}")
    for path in sorted(GOLDENS.glob("*.txt"))
    for title, text, expected in read_cases(path)
]


def show(kind: str, text: str) -> str:
    """What parsing `text` comes to, as the goldens of this kind show it."""
    return show_columns(parse(text)) if kind == "columns" else show_tree(text)


def show_tree(text: str) -> str:
    tree, source = parse_tree(text), Source(text)
    lines = [print_call(call) for call in tree.calls]
    for diagnostic in tree.diagnostics:
        extent = diagnostic.extent
        span = source.span(extent)
        shown = text[extent.offset : extent.offset + extent.length]
        lines.append(f"{span.line}:{span.column} {shown!r} {diagnostic.code}: {diagnostic.message}")
        lines += [f"    hint: {diagnostic.hint}"] if diagnostic.hint else []
    damaged = parse(text).damaged
    return "\n".join([*lines, f"damaged: {' '.join(sorted(damaged))}"] if damaged else lines)


def show_columns(columns: Columns) -> str:
    lines = []
    for group in columns.groups:
        lines.append(f"{group.verb} at {list(group.indexes)}")
        for name, kind, cells in zip(group.names, group.kinds, group.columns, strict=True):
            lines.append(f"    {name} {kind.name}: {cells}")
        lines += [f"    binds {group.bindings}"] if group.bindings else []
    lines.append(f"extents: {list(zip(columns.offsets, columns.lengths, strict=True))}")
    return "\n".join([*lines, f"lifted: {columns.lifted}"] if columns.lifted else lines)


@pytest.mark.parametrize(("kind", "text", "expected"), CASES)
def test_text_parses_to_its_golden(kind: str, text: str, expected: str) -> None:
    assert show(kind, text) == expected


def rewrite() -> None:
    for path in GOLDENS.glob("*.txt"):
        head = path.read_text(encoding="utf-8").split("\n" + TITLE)[0]
        blocks = [f"{TITLE}{title}\n{text}\n{RESULT}\n{show(path.stem, text)}\n" for title, text, _ in read_cases(path)]
        path.write_text("\n".join([head.rstrip("\n") + "\n", *blocks]), encoding="utf-8")


if __name__ == "__main__":
    rewrite()
