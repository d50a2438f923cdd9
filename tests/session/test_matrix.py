"""Every situation x every command against matrix.txt, and allowed_actions against what decide then does."""

from itertools import product
from pathlib import Path

import msgspec
import pytest
from tests.session.situations import COMMANDS, SITUATIONS, aimed, catalog_of, draw

from sheetgrpc.errors import InvalidRequest, NotAllowed, Reason, SheetError
from sheetgrpc.session.machine import TABLE, allowed_actions, decide, evolve
from sheetgrpc.session.model import Session, State

STATES = dict(zip("ESTGPRYXD", State, strict=True))
REASONS = {
    "-": (NotAllowed, Reason.ACTION_NOT_ALLOWED),
    "a": (NotAllowed, Reason.SHEET_ALREADY_APPLIED),
    "0": (NotAllowed, Reason.EMPTY_SCOPE),
    "c": (NotAllowed, Reason.SESSION_CLOSED),
    "e": (NotAllowed, Reason.SESSION_EXPIRED),
    "?": (InvalidRequest, Reason.CONFIRMATION_REQUIRED),
    "!": (InvalidRequest, Reason.INVALID_FIELD),
}


def read_matrix() -> dict[tuple[str, str], str]:
    text = Path(__file__).with_name("matrix.txt").read_text(encoding="utf-8")
    head, *rows = [line.split() for line in text.splitlines() if line and not line.startswith("#")]
    return {(column, row[0]): cell for row in rows for column, cell in zip(head, row[1:], strict=True)}


MATRIX = read_matrix()
NO_ACTIONS = {"FinishExecution", "ExpireSession", "DecideApproval"}  # the server's own, and one about an approval
CELLS = sorted(MATRIX.items())
ACCEPTED = [key for key, cell in CELLS if cell not in REASONS]
REFUSED = [key for key, cell in CELLS if cell in REASONS]


def attempt(situation: str, command: str) -> tuple[Session, SheetError | None]:
    session, catalog = SITUATIONS[situation], catalog_of(situation)
    try:
        asked = aimed(COMMANDS[command](catalog), session)
        events = decide(session, asked, draw(5_000), catalog_digest=catalog)
    except SheetError as error:
        return session, error
    for event in events:
        session = evolve(session, event)
    return session, None


def test_matrix_has_every_situation_and_every_command() -> None:
    assert set(MATRIX) == set(product(SITUATIONS, COMMANDS))


def test_situations_cover_every_state_and_commands_every_row() -> None:
    assert {session.state for session in SITUATIONS.values()} == set(State)
    made = [make(catalog_of("E")) for make in COMMANDS.values()]
    for row in TABLE:
        assert any(type(command) is row.command and row.when.holds(command) for command in made), row


@pytest.mark.parametrize(("situation", "command"), ACCEPTED)
def test_an_allowed_command_leads_where_the_matrix_says(situation: str, command: str) -> None:
    before = SITUATIONS[situation]
    after, error = attempt(situation, command)
    cell = MATRIX[situation, command]
    assert error is None
    assert after.state is (before.state if cell == "=" else STATES[cell])
    if command in ("CancelExecution", "RenewSession"):  # neither is an event: a wish, a sign of life
        assert after == before
        return
    assert after.version == before.version + 1
    assert after.updated_at == 5_000


@pytest.mark.parametrize(("situation", "command"), REFUSED)
def test_a_refused_command_changes_nothing_and_says_why(situation: str, command: str) -> None:
    before = msgspec.json.encode(SITUATIONS[situation])
    after, error = attempt(situation, command)
    assert error is not None
    assert (type(error), error.reason) == REASONS[MATRIX[situation, command]]
    assert msgspec.json.encode(SITUATIONS[situation]) == msgspec.json.encode(after) == before


@pytest.mark.parametrize(("situation", "command"), REFUSED)
def test_a_refusal_for_reasons_of_state_names_the_state_and_what_is_allowed(situation: str, command: str) -> None:
    session = SITUATIONS[situation]
    _, error = attempt(situation, command)
    assert error is not None
    if not isinstance(error, NotAllowed):
        return
    here = session.lifecycle if session.lifecycle.terminal else session.state
    assert f" is {here}" in error.message
    assert error.metadata["state"] == session.state
    assert error.metadata["allowedActions"] == ",".join(allowed_actions(session, catalog_of(situation)))


@pytest.mark.parametrize("situation", SITUATIONS)
def test_allowed_actions_are_exactly_the_rpcs_that_decide_accepts(situation: str) -> None:
    rpcs = {command.split(".")[0] for at, command in ACCEPTED if at == situation} - NO_ACTIONS
    expected = rpcs | ({"ExecuteSheet"} if "SubmitSheet" in rpcs else set())
    assert allowed_actions(SITUATIONS[situation], catalog_of(situation)) == tuple(sorted(expected))


@pytest.mark.parametrize("situation", SITUATIONS)
def test_rows_that_overlap_are_outcomes_of_one_command_told_apart_by_their_condition(situation: str) -> None:
    state = SITUATIONS[situation].state
    for name, make in COMMANDS.items():
        command = make(catalog_of(situation))
        fits = [row for row in TABLE if row.command is type(command) and state in row.sources]
        taken = [row for row in fits if row.when.holds(command)]
        if len(taken) > 1:
            assert name.startswith(("ParseSheet", "ResolveReference"))
            assert len({row.guards for row in taken}) == 1, "a later row must not be freer than the one before it"
