"""The golden file of bad catalogs, problems.txt: `=== title`, the YAML, `>>>`, the problems as "line: message"."""

from pathlib import Path
from typing import NamedTuple

import pytest

from sheetgrpc.catalog.loading import CatalogError, load

BELL = ("␇", "\a")  # as the golden file shows a character that YAML does not allow, and as it is


class Case(NamedTuple):
    title: str
    text: str
    expected: list[str]


def read_cases() -> list[Case]:
    cases = []
    golden = (Path(__file__).parent / "problems.txt").read_text(encoding="utf-8")
    for block in golden.split("=== ")[1:]:
        title, _, rest = block.partition("\n")
        text, _, expected = rest.partition(">>>\n")
        cases.append(Case(title, text.replace(*BELL), expected.splitlines()))
    return cases


@pytest.mark.parametrize("case", read_cases(), ids=lambda case: case.title)
def test_every_problem_is_told_with_its_line(case: Case) -> None:
    with pytest.raises(CatalogError) as caught:
        load(case.text, "f")
    assert [problem.removeprefix("f:") for problem in caught.value.problems] == case.expected
