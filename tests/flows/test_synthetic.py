"""Two thousand statements in any order: the phases its graph has, every row in the tables, and twice is once."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from tests.flows.serving import ORCHARD, Client, dump, orchard, pages, rows, serve, synthetic

from sheetgrpc.v1 import execution_pb2, statement_result_pb2
from sheetgrpc.v1 import sheet_service_pb2 as sheets

GROWERS = 500


def effects(client: Client, execution: Any) -> Counter[str]:
    kind = statement_result_pb2.EffectKind
    return Counter(kind.Name(one.effect_kind).removeprefix("EFFECT_KIND_") for one in client.results(execution.id))


@pytest.mark.parametrize("seed", [0, 1])
def test_a_large_sheet_twice(tmp_path: Path, seed: int) -> None:
    source = synthetic(GROWERS, seed)
    lines = source.splitlines()
    with serve(orchard(tmp_path), ORCHARD) as (process, client):
        session, parsed = client.parse(source)
        assert (parsed.sheet.statement_count, parsed.sheet.phase_count) == (4 * GROWERS, 2)
        statements = pages(
            client.sheets.ListStatements, sheets.ListStatementsRequest(session=session), "statements", 700
        )
        assert [one.source for one in statements] == lines
        assert [one.depth for one in statements] == [1 if line.startswith("(plot") else 0 for line in lines]

        finished = client.execute(session)[-1].finished
        assert finished.state == execution_pb2.EXECUTION_STATE_SUCCEEDED
        assert effects(client, finished) == {"CREATED": 4 * GROWERS}
        assert {one.table: one.created for one in finished.tables} == {
            "growers": GROWERS,
            "apples": GROWERS,
            "plots": 2 * GROWERS,
        }
        found = rows(
            process.database,
            "SELECT code, name, village, number, apple, colour FROM plots JOIN growers USING (grower_no)"
            " LEFT JOIN apples USING (apple)",
        )
        assert sorted(found, key=repr) == sorted(expected(), key=repr)

        before = dump(process.database)
        again = client.run(source)
        assert effects(client, again) == {"UNCHANGED": 4 * GROWERS}
        assert dump(process.database) == before
        assert [one.returned_key for one in client.results(again.id)] == [
            one.returned_key for one in client.results(finished.id)
        ]


def expected() -> list[tuple[Any, ...]]:
    """The plots, each with its grower and apple, as the sheet says them."""
    found: list[tuple[Any, ...]] = []
    for number in range(GROWERS):
        grower = f"G{number}", f'{number} of "B"', f"V{number % 7}"
        found += [(*grower, 1, f"A{number}", f"c{number % 5}"), (*grower, 2, None, None)]
    return found
