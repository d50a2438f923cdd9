"""docs/catalog.md is true: it mentions every key, kind and type, and its YAML loads."""

import re
import textwrap
from pathlib import Path

import pytest

from sheetgrpc.catalog.arguments import ARGUMENT_KEYS, CONDITION_KEYS
from sheetgrpc.catalog.database import Table, check
from sheetgrpc.catalog.entities import ENTITY_KEYS, KEY_KEYS
from sheetgrpc.catalog.loading import CATALOG_KEYS, load
from sheetgrpc.catalog.model import KeySource, KeyType, Type, VerbKind
from sheetgrpc.catalog.verbs import DEFAULT_LIMIT, EXPECT_KEYS, MAX_LIMIT, VERB_KEYS

DOCS = (Path(__file__).parents[2] / "docs" / "catalog.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```yaml\n(.*?)^```$", DOCS, re.DOTALL | re.MULTILINE)
WHOLE = [block for block in BLOCKS if block.startswith("version:")]
VERBS = [block for block in BLOCKS if not block.startswith("version:")]
SECTIONS = {
    "## The file": CATALOG_KEYS,
    "### Entities": (*ENTITY_KEYS, *KEY_KEYS, *KeyType, *KeySource),
    "### Verbs": (*VERB_KEYS, *EXPECT_KEYS),
    "### Arguments": (*ARGUMENT_KEYS, *CONDITION_KEYS),
    "## Types": tuple(Type),
    "## Kinds": tuple(VerbKind),
}


@pytest.mark.parametrize(("heading", "word"), [(heading, word) for heading in SECTIONS for word in SECTIONS[heading]])
def test_every_word_of_the_format_is_in_its_section(heading: str, word: str) -> None:
    section = re.split(r"^##+ ", DOCS.split(f"{heading}\n")[1], flags=re.MULTILINE)[0]
    assert f"`{word}`" in section


@pytest.mark.parametrize("block", WHOLE)
def test_a_whole_catalog_loads(block: str) -> None:
    assert load(block, "docs").verbs


def test_every_kind_has_an_example_of_its_own_that_loads() -> None:
    entities = WHOLE[0].partition("verbs:\n")[0]
    verbs = load(f"{entities}verbs:\n" + textwrap.indent("".join(VERBS), "  "), "docs").verbs
    assert [verb.kind for verb in verbs.values()] == list(VerbKind)
    assert re.findall(r"^### ([a-z]+)$", DOCS, re.MULTILINE) == list(VerbKind)


def test_the_catalog_of_five_minutes_fits_its_tables() -> None:
    tables = {
        "suppliers": ("id name country rating", "id", "name"),
        "parts": ("part_no supplier_id code price obsolete", "part_no", "supplier_id code"),
        "stock": ("part_no site quantity", "part_no site"),
    }
    described = {
        name: Table(name, dict.fromkeys(columns.split(), ""), frozenset(frozenset(key.split()) for key in unique))
        for name, (columns, *unique) in tables.items()
    }
    assert check(load(WHOLE[0], "docs"), described) == ()
    for name, (columns, *_) in tables.items():
        sql = DOCS.split(f"CREATE TABLE {name} (")[1].split(");")[0]
        assert set(columns.split()) <= set(re.findall(r"\w+", sql))


def test_the_limits_are_as_said() -> None:
    assert f"1 to {MAX_LIMIT:,}, default {DEFAULT_LIMIT}" in DOCS


@pytest.mark.parametrize("block", BLOCKS)
def test_no_yaml_is_there_that_is_not_tried(block: str) -> None:
    assert block in WHOLE or re.match(r"[a-z]+\.[a-z]+:\n", block)
