"""docs/language.md tells the truth about nested statements, templates, phases, codes and limits."""

import re

import pytest
from tests.docs.pages import blocks, prose, read

from sheetgrpc.config import Settings
from sheetgrpc.dsl.diagnostics import WARNINGS, DiagnosticCode
from sheetgrpc.dsl.limits import Limits
from sheetgrpc.dsl.parser import parse
from sheetgrpc.dsl.tree import parse_tree
from sheetgrpc.engine.opening import read_catalog
from sheetgrpc.planning.analysis import analyse
from sheetgrpc.planning.expand import expand
from sheetgrpc.planning.findings import SHOWN_ERRORS, SHOWN_WARNINGS
from sheetgrpc.planning.model import Known

PAGE = read("docs/language.md")
BLOCKS = blocks(PAGE)
FILES = {block.file: block.text for block in BLOCKS if block.file}
PIECES = [block.text for block in BLOCKS if block.language == "clojure" and not block.file]
CATALOG, _ = read_catalog("onboarding")


def test_the_lifted_statement_reads_as_said() -> None:
    sheet = parse(FILES["tour.dsl"])
    lifted, parent = parse_tree(PIECES[0].replace("@__5", "@lifted")).calls
    assert sheet.lifted == {5: 6}
    assert {group.verb for group in sheet.groups if 5 in group.indexes} == {lifted.verb}
    (group,) = [group for group in sheet.groups if 6 in group.indexes]
    assert (group.verb, group.names) == (parent.verb, tuple(argument.name for argument in parent.arguments))
    assert group.columns[group.names.index("ssi-id")] == ["__5"]


def test_the_template_expands_as_said() -> None:
    template, sheet = PIECES[1:]
    keys = list(dict.fromkeys(re.findall(r':cbu-id "([^"]+)"', sheet)))
    assert len(keys) == 2
    assert expand(template, "cbu", keys).source == sheet


def test_the_worked_example_has_the_depths_of_its_table() -> None:
    told = re.findall(r"^\| (\d) \| `([a-z.-]+)` \| (\d) \|", PAGE, re.MULTILINE)
    plan = analyse(FILES["phases.dsl"], CATALOG, Known(complete=True)).plan
    assert plan is not None
    verbs = [plan.groups[number].verb for number in plan.group_of]
    assert told == [(str(at), verb, str(plan.depths[at])) for at, verb in enumerate(verbs)]


@pytest.mark.parametrize("code", DiagnosticCode)
def test_every_code_is_explained_with_its_severity(code: DiagnosticCode) -> None:
    (row,) = [line for line in PAGE.splitlines() if re.match(rf"\| ([A-Z_]+, )*{code.value}(, [A-Z_]+)* \|", line)]
    assert ("| warning: " in row) is (code in WARNINGS)


def test_the_limits_are_as_said() -> None:
    settings = {setting.name: setting for setting in Settings.describe()}
    rows = re.findall(r"^\| [^|]+ \| ([\d,]+(?: MiB)?) \| `(\w+)` \|$", PAGE, re.MULTILINE)
    assert len(rows) == 5
    for default, name in rows:
        assert settings[name].default == default.replace(",", "").replace(" ", "")
    told = f"{Limits().errors:,} syntax errors, {SHOWN_ERRORS:,} other errors and {SHOWN_WARNINGS:,} warnings"
    assert told in " ".join(prose(PAGE).split())
