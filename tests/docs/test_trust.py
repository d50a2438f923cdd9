"""docs/trust.md and the calls of docs/catalog.md are true: keys, digests, and an example that is run on its tables."""

import hashlib
import re
import sqlite3
import textwrap
from contextlib import closing
from pathlib import Path

import pytest
from tests.docs.pages import blocks, read
from tests.engine.driving import drive

from sheetgrpc.handler import Call
from sheetgrpc.store.calling.asking import MOST_CHANGED
from sheetgrpc.store.calling.threads import MOST_THREADS
from sheetgrpc.trust.allowing import FILE_KEYS, MODULE_KEYS, SIGNATURES
from sheetgrpc.trust.loading import look_at

TRUST, CATALOG = read("docs/trust.md"), read("docs/catalog.md")
CALL = CATALOG.split("### call\n")[1].split("\n## ")[0]


@pytest.mark.parametrize("key", [*FILE_KEYS, *MODULE_KEYS, *SIGNATURES])
def test_every_key_of_the_allow_list_is_explained(key: str) -> None:
    assert f"`{key}`" in TRUST.split("## The allow-list\n")[1].split("\n## ")[0]


def test_the_digest_is_that_of_the_module_shown() -> None:
    (module,) = [block.text for block in blocks(TRUST) if block.file == "letters.py"]
    assert TRUST.count(hashlib.sha256(module.encode()).hexdigest()) == 3


def test_every_part_of_a_call_is_explained() -> None:
    public = {name for name in vars(Call) if not name.startswith("_")} - {"verb", "index"}
    assert {name for name in public if not re.search(rf"[`.]{name}[`(]", CALL)} == set()


def test_the_figures_are_as_said() -> None:
    assert f"at most {MOST_CHANGED:,}" in CALL
    assert f"when {MOST_THREADS} do" in CALL


@pytest.fixture
def shop(tmp_path: Path) -> dict[str, str]:
    """Settings for the tables, catalog and function of docs/catalog.md."""
    (module,) = [block.text for block in blocks(CATALOG) if block.file == "shop_rules.py"]
    (tables,) = [block.text for block in blocks(CATALOG) if block.language == "sql"]
    whole = next(block.text for block in blocks(CATALOG) if block.language == "yaml")
    verb = next(block.text for block in blocks(CALL) if block.language == "yaml")
    (tmp_path / "shop_rules.py").write_text(module)
    (tmp_path / "shop.yaml").write_text(whole + textwrap.indent(verb, "  "))
    digest = look_at("shop_rules", str(tmp_path)).sha256
    (tmp_path / "allow.yaml").write_text(f'version: 1\nmodules: {{shop_rules: {{sha256: "{digest}"}}}}\n')
    with closing(sqlite3.connect(tmp_path / "shop.db")) as connection:
        connection.executescript(tables)
    return {
        "catalog": str(tmp_path / "shop.yaml"),
        "allow": str(tmp_path / "allow.yaml"),
        "handlers": str(tmp_path),
    }


async def test_the_example_of_a_call_does_what_it_says(shop: dict[str, str], tmp_path: Path) -> None:
    async with drive(tmp_path / "shop.db", **shop) as driver:
        both = '(supplier.ensure :name "Acme" :as @acme) (supplier.ensure :name "Bolts" :as @bolts)'
        part = '(part.ensure :supplier @acme :code "B-100" :price 12.50)'
        ran = await driver.run(f"{both}{part}(supplier.merge :from @acme :into @bolts :as @one)")
        assert (ran.state, ran.keys[3]) == ("SUCCEEDED", ran.keys[1])
        assert driver.rows("SELECT name FROM suppliers") == ["Bolts"]
        assert driver.rows("SELECT supplier_id FROM parts") == [ran.keys[1]]
        same = await driver.run("(supplier.merge :from <Bolts> :into <Bolts>)")
        assert (same.state, same.errors) == ("ROLLED_BACK", {0: "HANDLER_FAILED"})
