"""Tokens and approvals on the command line: made, given, asked for, decided."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.cli.conftest import SECONDS, Ended, listening, run, serve

Writer = Callable[..., Path]
SHEET = '(cbu.ensure :name "Petrel" :jurisdiction "IE")\n'
TOKEN = re.compile(r"sgt_[A-Za-z0-9_-]{43}")


@dataclass(frozen=True)
class Guarded:
    """A server with tokens and a policy."""

    address: str
    tokens: dict[str, str]
    log: Path

    def run(self, caller: str, *arguments: object) -> Ended:
        return run(*arguments, "--address", self.address, SHEETGRPC_TOKEN=self.tokens[caller])


def made(name: str, *roles: str) -> tuple[str, str]:
    """A token, and its line."""
    ended = run("token", name, *(word for role in roles for word in ("--role", role)))
    token, line = ended.raw.splitlines()
    assert (ended.code, TOKEN.fullmatch(token) is not None) == (0, True)
    return token, line


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    folder = tmp_path_factory.mktemp("guarded")
    callers = {"ana": made("ana"), "pia": made("pia", "approver", "operator")}
    (folder / "tokens").write_text("\n".join(line for _, line in callers.values()))
    flags = ["--database", f"sqlite:///{folder / 'g.db'}", "--tokens", folder / "tokens", "--approve", "always"]
    with (folder / "log").open("w") as log:
        process = serve("--listen", "127.0.0.1:0", *flags, stderr=log)
        try:
            tokens = {name: token for name, (token, _) in callers.items()}
            yield Guarded(listening(process), tokens, folder / "log")
        finally:
            process.terminate()
            process.communicate(timeout=SECONDS)


def test_a_token_is_printed_with_its_line_and_never_in_it() -> None:
    token, line = made("ana", "operator", "approver")
    assert re.fullmatch(r"ana approver,operator [0-9a-f]{64}", line)
    assert token not in line


def test_a_name_that_no_file_may_have_is_refused() -> None:
    ended = run("token", "two words")
    assert (ended.code, ended.raw) == (2, "")
    assert "NAME ROLES HASH" in ended.err


def test_without_a_token_a_command_says_how_to_give_one(guarded: Guarded) -> None:
    for words in ((), ("--token", "sgt_wrong")):
        ended = run("sessions", "--address", guarded.address, *words)
        assert ended.code == 2
        assert "[UNAUTHENTICATED]" in ended.err
        assert "with --token or SHEETGRPC_TOKEN" in ended.err
        assert "sgt_wrong" not in ended.err


def test_a_token_is_given_by_flag_file_or_variable(guarded: Guarded, tmp_path: Path) -> None:
    token = guarded.tokens["ana"]
    file = tmp_path / "token"
    file.write_text(token + "\n")
    for words, env in (
        (("--token", token), {}),
        ((f"--token={token}",), {}),
        (("--token", f"@{file}"), {}),
        ((), {"SHEETGRPC_TOKEN": token}),
        ((), {"SHEETGRPC_TOKEN": f"@{file}"}),
    ):
        assert run("sessions", "--address", guarded.address, *words, **env).code == 0
    assert token not in guarded.log.read_text()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--token"], "--token needs a token"),
        (["--token", "@/nowhere/at/all"], "the token file /nowhere/at/all cannot be read"),
        (["--token", "two words"], "must be printable ASCII"),
    ],
)
def test_a_token_that_is_none_is_told(words: list[str], told: str) -> None:
    ended = run("sessions", *words)
    assert (ended.code, told in ended.err) == (2, True), ended.err


def test_a_plan_is_approved_by_another_and_then_applied(guarded: Guarded, sheet: Writer) -> None:
    file = sheet(SHEET)
    refused = guarded.run("ana", "apply", file, "--yes")
    assert (refused.code, "[APPROVAL_REQUIRED]" in refused.err) == (1, True)
    asked = guarded.run("ana", "approvals", "request", file, "--notes", "for the quarter")
    assert asked.code == 0, asked.err
    found = re.search(r"approval (\w{26}) asked for", asked.raw)
    assert found is not None
    assert "Plan: 1 to add" in asked.raw
    approval = found[1]
    own = guarded.run("ana", "approvals", "approve", approval)
    assert (own.code, "[PERMISSION_DENIED]" in own.err) == (1, True)
    shown = guarded.run("pia", "approvals", "show", approval)
    assert shown.code == 0, shown.err
    assert "notes: for the quarter" in shown.raw
    assert "Petrel" in shown.raw
    assert guarded.run("pia", "approvals", "approve", approval, "--notes", "fine").code == 0
    other = guarded.run("ana", "apply", sheet(SHEET + "\n", "other.dsl"), "--yes", "--approval", approval)
    assert (other.code, "is not the sheet that approval" in other.err) == (2, True)
    applied = guarded.run("ana", "apply", file, "--yes", "--approval", approval)
    assert (applied.code, "committed, 1 statement" in applied.raw) == (0, True), applied.err
    assert "APPROVED (used)" in guarded.run("ana", "approvals", "list").raw


def test_a_rejected_plan_is_not_applied(guarded: Guarded, sheet: Writer) -> None:
    file = sheet(SHEET.replace("Petrel", "Puffin"))
    asked = guarded.run("ana", "approvals", "request", file)
    approval = asked.raw.rsplit("--approval ", 1)[1].split()[0]
    assert guarded.run("pia", "approvals", "reject", approval, "--notes", "not this quarter").code == 0
    assert "REJECTED" in guarded.run("ana", "approvals", "list", "--state", "rejected").raw
    refused = guarded.run("ana", "apply", file, "--yes", "--approval", approval)
    assert (refused.code, "was rejected" in refused.err) == (1, True)
