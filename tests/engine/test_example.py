"""The bundled example on every backend: real fund data, loaded twice, with every type that its tables have."""

from importlib.resources import files
from pathlib import Path

import pytest
from tests.engine.driving import Clock, Driver
from tests.engine.places import url_of
from tests.postgres import Server

from sheetgrpc.clock import Draws
from sheetgrpc.config import Settings
from sheetgrpc.engine.opening import open_engine

SHEETS = files("sheetgrpc.examples").joinpath("onboarding", "sheets")
TYPES = """
(cbu.ensure :name "C" :jurisdiction "LU" :as @c)
(entity.create-proper-person :first-name "Ada" :last-name "Byron" :date-of-birth "1815-12-10" :is-pep true :as @p)
(cbu.assign-role :cbu-id @c :entity-id @p :role "OWNER" :ownership-percentage 12.50 :effective-date "2020-02-29")
"""


@pytest.mark.parametrize("backend", ["sqlite", "postgres"])
@pytest.mark.parametrize("sheet", ["gleif.dsl", "types"])
async def test_the_example_commits_and_then_changes_nothing(
    backend: str, sheet: str, file: Path, postgres_server: Server
) -> None:
    place = await postgres_server.fresh() if backend == "postgres" else file
    text = TYPES if sheet == "types" else SHEETS.joinpath(sheet).read_text("utf-8")
    engine = await open_engine(Settings(database=url_of(place), catalog="onboarding"), Draws(now=Clock()))
    try:
        engine._executor.start()
        fleet = Driver(engine, place)
        first = await fleet.run(text)
        assert (first.state, first.errors) == ("SUCCEEDED", {})
        again = await fleet.run(text.replace("entity.create-proper-person", "entity.ensure-proper-person"))
        assert (again.state, set(again.effects) - {"READ", "ASSERTED"}) == ("SUCCEEDED", {"UNCHANGED"})
        assert again.keys == first.keys
        if sheet == "types":
            found = fleet.rows("SELECT name, is_pep, date_of_birth FROM entities")
            assert found == [("Ada Byron", 1, "1815-12-10")]
    finally:
        await engine.stop()
        if isinstance(place, str):
            await postgres_server.drop(place)
