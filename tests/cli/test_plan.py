"""plan against a real server: what it draws, that it changes nothing, how it ends; and apply bound to a plan."""

import json
import re
from collections.abc import Callable
from pathlib import Path

from tests.cli.conftest import Ended, run

Writer = Callable[..., Path]

FUND = """\
(cbu.ensure :name "{0} Fund" :jurisdiction "LU" :as @fund)
(entity.ensure-limited-company :name "{0} Management AG" :jurisdiction "CH" :as @manager)
(cbu.assign-role :cbu-id @fund :entity-id @manager :role "MANAGEMENT_COMPANY")
"""
CHANGES = """\
(cbu.ensure :name "{0} Fund" :jurisdiction "LU" :client-type CORPORATE :as @fund)
(cbu.add-product :cbu-id @fund :product CUSTODY)
"""


def plan(address: str, path: Path, *more: str) -> Ended:
    return run("plan", path, "--address", address, *more)


def test_a_plan_of_new_rows_shows_what_would_be_added(address: str, sheet: Writer) -> None:
    """C-R38: as people expect of a plan."""
    path = sheet(FUND.format("Eiche"))
    ended = plan(address, path)
    assert (ended.code, ended.err) == (0, "")
    head, *lines = ended.out.splitlines()
    assert head == f"{path}: 3 statements in 2 phases"
    assert lines[:5] == [
        "  + cbu #0  Eiche Fund  (statement 0)",
        '      client_type   "FUND"',
        '      jurisdiction  "LU"',
        '      name          "Eiche Fund"',
        "  + entity #1  Eiche Management AG  (statement 1)",
    ]
    assert '      cbu_id     "#0"' in lines
    assert '      entity_id  "#1"' in lines
    assert "Plan: 3 to add, 0 to change, 0 to delete." in lines
    assert re.fullmatch("digest [0-9a-f]{64}", lines[-1])
    listed = run("executions", "--limit", "1", "--address", address).raw.splitlines()[-1]
    assert listed.endswith("only a plan: nothing of it stays")
    assert plan(address, path).out == ended.out


def test_a_plan_of_changes_shows_before_and_after(address: str, sheet: Writer) -> None:
    assert run("apply", sheet(FUND.format("Fichte")), "--address", address, "--yes").code == 0
    ended = plan(address, sheet(CHANGES.format("Fichte")), "--detailed-exitcode")
    assert ended.code == 3
    assert "  ~ cbu <key>  Fichte Fund  (statement 0)\n" in ended.out
    assert '      client_type  "FUND" -> "CORPORATE"\n' in ended.out
    assert "Plan: 1 to add, 1 to change, 0 to delete.\n" in ended.out


def test_a_plan_without_changes_says_so(address: str, sheet: Writer) -> None:
    path = sheet(FUND.format("Kiefer"))
    assert run("apply", path, "--address", address, "--yes").code == 0
    ended = plan(address, path, "--detailed-exitcode")
    assert ended.code == 0
    assert "Plan: nothing to do, 3 rows already as asked for.\n" in ended.out


def test_a_plan_that_fails_exits_1_and_draws_the_statement(address: str, sheet: Writer) -> None:
    ended = plan(address, sheet('(cbu.create :name "L" :jurisdiction "LU") (cbu.create :name "L" :jurisdiction "LU")'))
    assert ended.code == 1
    assert "the plan fails: nothing was changed" in ended.out
    assert "error[DB_CONSTRAINT]" in ended.out


def test_a_plan_of_a_sheet_with_errors_exits_1(address: str, sheet: Writer) -> None:
    ended = plan(address, sheet('(cbu.ensur :name "x")'))
    assert ended.code == 1
    assert "error[UNKNOWN_VERB]" in ended.out


def test_a_plan_answers_in_json_on_request(address: str, sheet: Writer) -> None:
    ended = plan(address, sheet(FUND.format("Linde")), "--json")
    document = json.loads(ended.raw)
    assert ended.code == 0
    assert document["execution"]["dry_run"] is True
    assert [effect["kind"] for effect in document["effects"]] == ["EFFECT_KIND_CREATED"] * 3
    assert document["effects"][2]["after"]["cbu_id"] == "#0"
    assert document["failures"] == []


def test_apply_with_the_digest_of_a_plan_applies_that_or_nothing(address: str, sheet: Writer) -> None:
    path = sheet(FUND.format("Tanne"))
    digest = plan(address, path).raw.splitlines()[-1].removeprefix("digest ")
    done = run("apply", path, "--address", address, "--yes", "--plan-digest", digest)
    assert (done.code, "committed" in done.out) == (0, True)
    again = run("apply", path, "--address", address, "--yes", "--plan-digest", digest)
    assert again.code == 1
    assert "failed: nothing was changed" in again.out
    assert "error[PLAN_STALE]" in again.out


def test_apply_changes_no_more_rows_than_allowed(address: str, sheet: Writer) -> None:
    path = sheet(FUND.format("Ulme"))
    few = run("apply", path, "--address", address, "--yes", "--max-rows", "2")
    assert few.code == 1
    assert "error[BUDGET_EXCEEDED]" in few.out
    assert run("apply", path, "--address", address, "--yes", "--max-rows", "3").code == 0


def test_apply_takes_a_priority(address: str, sheet: Writer) -> None:
    """What the execution has is told with it; others than the server takes are refused before anything is sent."""
    path = sheet(FUND.format("Weide"))
    for number in ("101", "-101", "many", "1.5"):
        refused = run("apply", path, "--address", address, "--yes", "--priority", number)
        assert (refused.code, "no whole number from -100 to 100" in refused.err) == (2, True), refused
    for number in ("-100", "7"):
        ended = run("apply", path, "--address", address, "--yes", "--json", "--priority", number)
        assert (ended.code, json.loads(ended.raw)["execution"]["priority"]) == (0, int(number))
