"""docs/states.md is what the table says."""

from pathlib import Path

from sheetgrpc.session.diagram import render

PAGE = Path(__file__).parents[2] / "docs" / "states.md"


def test_the_page_is_not_stale() -> None:
    stale = "run `python -m sheetgrpc.session.diagram > docs/states.md`"
    assert PAGE.read_text(encoding="utf-8") == render(), stale
