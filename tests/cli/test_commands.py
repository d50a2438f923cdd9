"""check, apply, sessions, show, watch against a real server: what they print into a pipe and how they end."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.cli.conftest import run

Writer = Callable[..., Path]

FUND = """\
(cbu.ensure :name "Ahorn Fund" :jurisdiction "LU" :as @fund)
(entity.ensure-limited-company :name "Ahorn Management AG" :jurisdiction "CH" :as @manager)
(cbu.assign-role :cbu-id @fund :entity-id @manager :role "MANAGEMENT_COMPANY")
"""
FAULTS = """\
(cbu.ensur :name "x")
(cbu.assign-role :cbu-id @nobody :entity-id @manager :role "R")
"""
FAILING = """\
(cbu.ensure :name "Buche Fund" :jurisdiction "LU" :as @fund)
(cbu.create :name "Buche Fund" :jurisdiction "LU" :as @again)
(kyc-case.ensure :cbu-id @again :name "Review" :case-type NEW_CLIENT :as @case)
(kyc-case.screen :case-id @case :screening-type SANCTIONS)
(cbu.add-product :cbu-id @fund :product CUSTODY)
"""


def test_check_draws_every_finding_and_exits_1(address: str, sheet: Writer) -> None:
    path = sheet(FAULTS)
    ended = run("check", path, "--address", address)
    assert ended.code == 1
    assert ended.err == ""
    assert f"--> {path}:1:2\n" in ended.out
    assert '1 | (cbu.ensur :name "x")\n  |  ^^^^^^^^^\n' in ended.out
    assert "error[UNDEFINED_SYMBOL]" in ended.out
    assert ended.out.splitlines()[-1] == f"{path}: 3 errors"


def test_check_of_a_sound_sheet_exits_0(address: str, sheet: Writer) -> None:
    path = sheet(FUND)
    ended = run("check", path, SHEETGRPC_ADDRESS=address)
    assert (ended.code, ended.out, ended.err) == (0, f"{path}: 3 statements in 2 phases\n", "")


def test_check_reads_standard_input(address: str) -> None:
    ended = run("check", "-", "--address", address, stdin=FAULTS.encode())
    assert ended.code == 1
    assert "--> <stdin>:1:2\n" in ended.out


def test_check_answers_in_json_on_request(address: str, sheet: Writer) -> None:
    ended = run("check", sheet(FAULTS), "--address", address, "--json")
    found = json.loads(ended.raw)
    assert ended.code == 1
    assert found["error_count"] == 3
    assert found["diagnostics"][0]["code"] == "DIAGNOSTIC_CODE_UNKNOWN_VERB"


def test_apply_commits_and_a_second_run_changes_nothing(address: str, sheet: Writer) -> None:
    path = sheet(FUND.replace("Ahorn", "Ahorn twice"))
    first = run("apply", path, "--yes", "--address", address)
    assert first.err == ""
    assert first.code == 0
    assert first.out.splitlines() == [
        f"{path}: 3 statements in 2 phases",
        "  phase  statements  binds",
        "      0           2  @fund @manager",
        "      1           1",
        "  phase 0: 2 done",
        "  phase 1: 1 done",
        "committed, 3 statements in <time>",
        "  table      created  updated  unchanged  deleted",
        "  cbu_roles        1        0          0        0",
        "  cbus             1        0          0        0",
        "  entities         1        0          0        0",
        "session <id>, execution <id>",
    ]
    second = run("apply", path, "--yes", "--address", address)
    assert second.code == 0
    assert "  cbu_roles        0        0          1        0" in second.out.splitlines()


def test_apply_of_a_faulty_sheet_exits_1_and_runs_nothing(address: str, sheet: Writer) -> None:
    ended = run("apply", sheet(FAULTS), "--yes", "--address", address)
    assert ended.code == 1
    assert "error[UNKNOWN_VERB]" in ended.out
    assert "committed" not in ended.out


def test_apply_without_anybody_to_confirm_changes_nothing(address: str, sheet: Writer) -> None:
    ended = run("apply", sheet(FUND.replace("Ahorn", "Unconfirmed")), "--address", address)
    assert ended.code == 1
    assert ended.err == "error: not confirmed, nothing was changed: run this on a terminal, or give --yes\n"
    again = run("apply", "-", "--address", address, "--yes", stdin=b'(cbu.expect :name "Unconfirmed Fund")')
    assert again.code == 1


def test_apply_draws_the_failing_statement_and_counts_what_it_blocked(address: str, sheet: Writer) -> None:
    path = sheet(FAILING)
    ended = run("apply", path, "--yes", "--address", address)
    assert ended.code == 1
    lines = ended.out.splitlines()
    assert any(line.startswith("rolled back: nothing was changed") for line in lines)
    at = next(number for number, line in enumerate(lines) if line.startswith("error[DB_CONSTRAINT]: "))
    assert lines[at + 1] == f" --> {path}:2:1"
    assert lines[at + 3] == '2 | (cbu.create :name "Buche Fund" :jurisdiction "LU" :as @again)'
    assert lines[at + 4] == "  | " + "^" * 61
    assert "  = blocked: 2 statements depending on it" in lines


def test_apply_in_mode_best_effort_commits_the_rest_and_still_exits_1(address: str, sheet: Writer) -> None:
    ended = run("apply", sheet(FAILING), "--yes", "--mode", "best-effort", "--address", address)
    assert ended.code == 1
    assert "committed in part" in ended.out
    assert "3 success" not in ended.out.splitlines()[-1]
    assert any("2 success" in line and "1 failed" in line and "2 skipped" in line for line in ended.out.splitlines())


def test_apply_answers_in_json_on_request(address: str, sheet: Writer) -> None:
    good = run("apply", sheet(FUND), "--yes", "--json", "--address", address)
    assert good.code == 0
    told = json.loads(good.raw)
    assert told["committed"] is True
    assert told["execution"]["state"] == "EXECUTION_STATE_SUCCEEDED"
    bad = json.loads(
        run("apply", sheet(FAILING.replace("Buche", "Linde")), "--yes", "--json", "--address", address).raw
    )
    assert bad["committed"] is False
    assert [(one["index"], one["status"]) for one in bad["failures"]] == [
        (1, "STATEMENT_STATUS_FAILED"),
        (2, "STATEMENT_STATUS_SKIPPED"),
        (3, "STATEMENT_STATUS_SKIPPED"),
    ]
    faulty = run("apply", sheet(FAULTS), "--yes", "--json", "--address", address)
    assert faulty.code == 1
    assert json.loads(faulty.raw)["sheet"]["error_count"] == 3


def test_apply_in_json_does_not_ask(address: str, sheet: Writer) -> None:
    ended = run("apply", sheet(FUND), "--json", "--address", address)
    assert (ended.code, ended.raw) == (2, "")
    assert "--yes" in ended.err


def test_open_names_are_listed_once_where_nobody_can_be_asked(address: str, sheet: Writer) -> None:
    run(
        *("apply", "-", "--yes", "--address", address),
        stdin=b'(entity.ensure-limited-company :name "Esche Holding AG" :jurisdiction "CH")'
        b'(entity.ensure-limited-company :name "Esche Invest AG" :jurisdiction "CH")',
    )
    text = (
        '(cbu.ensure :name "Esche Fund" :jurisdiction "LU" :as @fund)\n'
        '(cbu.assign-role :cbu-id @fund :entity-id "Esche" :role "A")\n'
        '(cbu.assign-role :cbu-id @fund :entity-id "Esche" :role "B")\n'
    )
    ended = run("apply", sheet(text), "--yes", "--address", address)
    assert ended.code == 1
    assert ended.out.count('which entity is "Esche"?') == 1
    assert re.search(r"^ +1  Esche .* AG +\d\.\d\d  <key>$", ended.out, re.MULTILINE)
    assert "2 names to be resolved, and nobody to ask" in ended.err


def test_names_with_control_characters_do_not_reach_the_terminal(address: str, sheet: Writer) -> None:
    hostile = r"Ulme \u001b[2J\u202e\u0007 AG"
    made = run(
        *("apply", "-", "--yes", "--address", address),
        stdin=f'(entity.ensure-limited-company :name "{hostile}" :jurisdiction "CH")'.encode(),
    )
    assert made.code == 0
    text = (
        '(cbu.ensure :name "Ulme Fund" :jurisdiction "LU" :as @fund)\n'
        '(cbu.assign-role :cbu-id @fund :entity-id "Ulme" :role "A") ; \x1b]0;pwned\x07\n'
        '(cbu.nope :name "\x1b[31m")\n'
    )
    checked = run("check", sheet(text), "--address", address)
    applied = run("apply", sheet(text.rpartition("(")[0]), "--yes", "--address", address)
    printed = checked.raw + checked.err + applied.raw + applied.err
    assert r"Ulme \x1b[2J\u202e\x07 AG" in applied.raw
    assert r"\x1b]0;pwned\x07" in applied.raw
    assert not set(printed) & {"\x1b", "\x07", "\u202e"}


def test_letters_that_the_output_has_no_bytes_for_are_spelt_out(address: str) -> None:
    ended = run(*("check", "-", "--address", address), stdin='(x.y :name "München")'.encode(), PYTHONIOENCODING="ascii")
    assert ended.code == 1
    assert r"M\xfcnchen" in ended.raw


def test_sessions_are_listed_and_shown(address: str, sheet: Writer) -> None:
    run("apply", sheet(FUND, "listed.dsl"), "--yes", "--address", address)
    listed = run("sessions", "--address", address, "--limit", 1, "--state", "executed")
    heading, row = listed.raw.splitlines()
    assert heading.split() == ["session", "state", "lifecycle", "created", "name"]
    session, state, lifecycle, *_, name = row.split()
    assert (state, lifecycle, name) == ("EXECUTED", "COMPLETED", "listed.dsl")
    shown = run("show", session, "--address", address)
    assert shown.code == 0
    assert shown.raw.splitlines()[0] == f"session  {session}"
    assert "SUCCEEDED" in shown.raw.splitlines()[-1]
    told = json.loads(run("show", session.lower(), "--address", address, "--json").raw)
    assert told["session"]["id"] == session
    assert [one["state"] for one in told["executions"]] == ["EXECUTION_STATE_SUCCEEDED"]
    assert len(json.loads(run("sessions", "--limit", 2, "--address", address, "--json").raw)) == 2


def test_watch_tells_how_an_execution_ended(address: str, sheet: Writer) -> None:
    applied = run("apply", sheet(FAILING.replace("Buche", "Weide")), "--yes", "--address", address)
    execution = applied.raw.split("execution ")[-1].strip()
    ended = run("watch", execution, "--address", address)
    assert ended.code == 1
    lines = ended.out.splitlines()
    assert any(line.startswith("rolled back: nothing was changed") for line in lines)
    assert " --> sheet <id>:2:1" in lines
    assert '2 | (cbu.create :name "Weide Fund" :jurisdiction "LU" :as @again)' in lines


@pytest.mark.parametrize("arguments", [("show", "nosuch"), ("watch", "01ARZ3NDEKTSV4RRFFQ69G5FAV")])
def test_what_is_not_there_is_one_line_and_exit_code_1(address: str, arguments: tuple[str, ...]) -> None:
    ended = run(*arguments, "--address", address)
    assert (ended.code, ended.raw, ended.err.count("\n")) == (1, "", 1)
    assert "_NOT_FOUND]" in ended.err


@pytest.mark.parametrize(
    "arguments", [("check", "-"), ("apply", "-", "--yes"), ("sessions",), ("show", "x"), ("watch", "x")]
)
def test_a_server_that_is_not_there_is_one_line_and_exit_code_2(arguments: tuple[str, ...]) -> None:
    ended = run(*arguments, "--address", "127.0.0.1:1")
    assert (ended.code, ended.raw, ended.err.count("\n")) == (2, "", 1)
    assert ended.err.startswith("error: no server at 127.0.0.1:1: connection refused")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("frobnicate",), "frobnicate"),
        (("apply",), "FILE"),
        (("apply", "x", "y"), "y"),
        (("apply", "x", "--nope"), "--nope"),
        (("apply", "x", "--mode", "sloppy"), "atomic, atomic_collect, best_effort"),
        (("apply", "x", "--timeout", "soon"), "30 or 24h"),
        (("sessions", "--limit", "few"), "--limit"),
        (("sessions", "--state", "happy"), "happy"),
        (("check", "no-such-file.dsl"), "no-such-file.dsl cannot be read: No such file"),
        (("check", "."), "cannot be read: Is a directory"),
    ],
)
def test_wrong_arguments_are_told_shortly_with_exit_code_2(arguments: tuple[str, ...], said: str) -> None:
    ended = run(*arguments)
    assert (ended.code, ended.raw) == (2, "")
    assert said in ended.err
    assert len(ended.err.splitlines()) <= 2


def test_a_sheet_that_is_no_utf_8_is_told(sheet: Writer) -> None:
    ended = run("check", "-", stdin=b"(a \xff)")
    assert (ended.code, ended.err) == (2, "error: <stdin> is not UTF-8: byte 3 is wrong\n")
