"""What the transitions do beside changing the state, one rule a test."""

import pytest
from msgspec.structs import replace
from tests.session.situations import (
    CATALOG,
    CONFIRM,
    CREATE,
    GENERATE,
    IMPORT,
    NEWER_CATALOG,
    SCOPE,
    SHEET,
    SITUATIONS,
    TEMPLATE,
    draw,
    finish,
    parse,
    resolve,
    run,
    submit,
)

from sheetgrpc.errors import Conflict, InvalidRequest, NotAllowed, NotFound, Reason
from sheetgrpc.session.commands import (
    ClearScope,
    CloseSession,
    Command,
    ConfirmIntent,
    GenerateSheet,
    ImportSheet,
    ResetSession,
    SetScope,
    SetTemplate,
)
from sheetgrpc.session.events import ScopeCleared
from sheetgrpc.session.machine import allowed_actions, decide, evolve, fold
from sheetgrpc.session.model import ExecutionState, Lifecycle, Scope, Session, Sheet, State, Template


def refusal(session: Session | None, command: Command) -> str:
    with pytest.raises(NotAllowed) as caught:
        decide(session, command, draw())
    return caught.value.message


def test_a_created_session_holds_what_was_asked_for_and_is_pending() -> None:
    session = run(CREATE)
    assert session == Session(
        id="01ARZ3NDEKTSV4RRFFQ69G5FAV",
        version=1,
        name=CREATE.name,
        client=CREATE.client,
        role=CREATE.role,
        task_id=CREATE.task_id,
        metadata=CREATE.metadata,
        labels=CREATE.labels,
        created_at=1_000,
        updated_at=1_000,
    )
    assert session.lifecycle is Lifecycle.PENDING


def test_the_first_accepted_command_makes_a_session_active() -> None:
    assert run(CREATE, SCOPE).lifecycle is Lifecycle.ACTIVE


def test_a_pending_session_can_be_closed_at_once() -> None:
    session = run(CREATE, CloseSession(outcome=Lifecycle.COMPLETED))
    assert (session.lifecycle, session.ended_at, session.state) == (Lifecycle.COMPLETED, 1_001, State.EMPTY)


def test_only_a_closed_or_expired_session_has_an_end() -> None:
    ended = {name for name, session in SITUATIONS.items() if session.ended_at is not None}
    assert ended == {"Co", "Fa", "Ex"}


def test_commands_without_a_session_are_refused_as_not_found() -> None:
    with pytest.raises(NotFound) as caught:
        decide(None, SCOPE, draw())
    assert caught.value.reason is Reason.SESSION_NOT_FOUND


@pytest.mark.parametrize(
    ("situation", "command", "message"),
    [
        ("Y", CONFIRM, "session is READY; ConfirmIntent needs TEMPLATED"),
        ("Tc", CONFIRM, "session is TEMPLATED; ConfirmIntent needs an unconfirmed template"),
        ("Tu", GENERATE, "session is TEMPLATED; GenerateSheet needs a confirmed template: call ConfirmIntent"),
        ("Gi", TEMPLATE, "session is GENERATED; SetTemplate needs a scope: call SetScope"),
        ("G", resolve(left=0), "session is GENERATED; ResolveReference needs RESOLVING or READY"),
        ("X", IMPORT, "session is EXECUTING; ImportSheet needs any state but EXECUTING"),
        ("X", ClearScope(), "session is EXECUTING; ClearScope needs any state but EMPTY or EXECUTING"),
        ("E", parse(), "session is EMPTY; ParseSheet needs any state but EMPTY, SCOPED, TEMPLATED or EXECUTING"),
        ("F", submit(), "session is EXECUTED; SubmitSheet needs READY"),
        (
            "D",
            submit(),
            "session is EXECUTED; SubmitSheet needs a sheet that is not applied yet: import or generate another",
        ),
        (
            "Y",
            submit(catalog=NEWER_CATALOG),
            "session is READY; SubmitSheet needs a sheet parsed with the current catalog: call ParseSheet again",
        ),
        ("E", CREATE, "session is EMPTY; CreateSession needs that there is no session yet"),
    ],
)
def test_refusals_name_the_state_and_what_is_needed(situation: str, command: Command, message: str) -> None:
    assert refusal(SITUATIONS[situation], command) == message


def test_a_refusal_of_a_closed_session_names_the_session() -> None:
    text = refusal(SITUATIONS["Co"], SCOPE)
    assert text == 'session "01ARZ3NDEKTSV4RRFFQ69G5FAV" is COMPLETED and takes no more changes; create another'


def test_allowed_actions_of_a_ready_session_depend_on_the_catalog() -> None:
    ready = SITUATIONS["Y"]
    lost = set(allowed_actions(ready, CATALOG)) - set(allowed_actions(ready, NEWER_CATALOG))
    assert lost == {"SubmitSheet", "ExecuteSheet", "PlanSheet"}


def test_a_refusal_without_a_catalog_takes_the_sheet_as_current() -> None:
    with pytest.raises(NotAllowed) as caught:
        decide(SITUATIONS["Y"], CONFIRM, draw())
    assert caught.value.metadata["allowedActions"] == ",".join(allowed_actions(SITUATIONS["Y"], CATALOG))


# --- layers


def layers(session: Session) -> tuple[Scope | None, Template | None, Sheet | None, str]:
    return session.scope, session.template, session.sheet, session.last_execution_id


OTHER_SCOPE = SetScope(scope=Scope(id="scope-2", entity_type="entity", entity_count=1, source="ids"))
OTHER_SHEET = Sheet(id="sheet-2", digest="6" * 64)
CONFIRMED = Template(TEMPLATE.source, TEMPLATE.target_entity_type, confirmed=True)


@pytest.mark.parametrize(
    ("command", "kept"),
    [
        (OTHER_SCOPE, (OTHER_SCOPE.scope, None, None, "")),
        (ClearScope(), (None, None, None, "")),
        (TEMPLATE, (SCOPE.scope, replace(CONFIRMED, confirmed=False), None, "")),
        (ImportSheet(sheet=OTHER_SHEET), (SCOPE.scope, None, OTHER_SHEET, "")),
        (ResetSession(to=State.SCOPED), (SCOPE.scope, None, None, "")),
        (ResetSession(to=State.EMPTY), (None, None, None, "")),
    ],
    ids=lambda value: type(value).__name__,
)
def test_setting_a_layer_clears_those_above_it(command: Command, kept: tuple[object, ...]) -> None:
    session = run(command, session=SITUATIONS["D"])
    assert layers(session) == kept
    assert (session.progress_completed, session.progress_total, session.last_execution_succeeded) == (0, 0, False)


def test_a_generated_sheet_keeps_scope_and_confirmed_template() -> None:
    assert layers(SITUATIONS["G"]) == (SCOPE.scope, CONFIRMED, SHEET, "")


def test_setting_the_template_again_takes_the_confirmation_back() -> None:
    session = run(TEMPLATE, session=SITUATIONS["Tc"])
    assert session.template is not None
    assert not session.template.confirmed


def test_parsing_again_after_a_failed_execution_keeps_what_is_known_of_it() -> None:
    session = run(parse(), session=SITUATIONS["F"])
    assert (session.state, session.last_execution_id, session.progress_completed) == (State.READY, "execution-1", 2)


@pytest.mark.parametrize(
    "command",
    [OTHER_SCOPE, ClearScope(), TEMPLATE, ImportSheet(sheet=OTHER_SHEET), ResetSession(to=State.SCOPED)],
    ids=lambda command: type(command).__name__,
)
def test_committed_symbols_outlive_every_layer(command: Command) -> None:
    assert run(command, session=SITUATIONS["D"]).committed == ("execution-1",)


def test_reset_to_empty_forgets_committed_symbols() -> None:
    assert run(ResetSession(to=State.EMPTY), session=SITUATIONS["D"]).committed == ()


def test_executions_are_committed_in_the_order_they_ran() -> None:
    again = replace(parse(), sheet_id=OTHER_SHEET.id)
    session = run(
        ImportSheet(sheet=OTHER_SHEET),
        again,
        submit("execution-2"),
        finish(ExecutionState.PARTIAL, "execution-2"),
        session=SITUATIONS["D"],
    )
    assert session.committed == ("execution-1", "execution-2")


# --- sheets and executions


def test_a_parse_leaves_its_findings_on_the_sheet() -> None:
    sheet = run(CREATE, IMPORT, parse(errors=2, unresolved=1)).sheet
    assert sheet == replace(
        SHEET, phase_count=2, error_count=2, warning_count=1, unresolved_count=1, catalog_digest=CATALOG
    )


def test_resolving_can_change_the_number_of_phases() -> None:
    command = replace(resolve(left=0), phase_count=5)
    kept, changed = run(resolve(left=0), session=SITUATIONS["R"]), run(command, session=SITUATIONS["R"])
    assert kept.sheet is not None
    assert changed.sheet is not None
    assert (kept.sheet.phase_count, changed.sheet.phase_count) == (2, 5)


def test_a_parse_of_another_sheet_is_a_conflict() -> None:
    with pytest.raises(Conflict) as caught:
        decide(SITUATIONS["G"], replace(parse(), sheet_id="sheet-0"), draw())
    assert caught.value.metadata == {"sheet": "sheet-1"}


def test_the_end_of_another_execution_is_a_conflict() -> None:
    with pytest.raises(Conflict):
        decide(SITUATIONS["X"], finish(ExecutionState.SUCCEEDED, "execution-0"), draw())


def test_a_template_for_another_entity_type_is_invalid() -> None:
    command = SetTemplate(source="(entity.close :entity-id @entity)", target_entity_type="entity")
    with pytest.raises(InvalidRequest) as caught:
        decide(SITUATIONS["S"], command, draw())
    assert caught.value.reason is Reason.INVALID_TEMPLATE


def test_an_executing_session_names_its_execution() -> None:
    assert SITUATIONS["X"].execution_id == "execution-1"
    assert SITUATIONS["D"].execution_id == ""


@pytest.mark.parametrize("state", [state for state in ExecutionState if state.terminal])
def test_only_what_committed_spends_the_sheet_and_only_succeeded_is_success(state: ExecutionState) -> None:
    session = run(finish(state), session=SITUATIONS["X"])
    assert session.sheet is not None
    committed = state in (ExecutionState.SUCCEEDED, ExecutionState.PARTIAL)
    assert session.sheet.spent is committed
    assert session.committed == (("execution-1",) if committed else ())
    assert session.last_execution_succeeded is (state is ExecutionState.SUCCEEDED)
    assert (session.last_execution_id, session.progress_completed, session.progress_total) == ("execution-1", 2, 3)


def test_of_two_submits_decided_one_after_the_other_the_second_is_refused() -> None:
    session = run(submit("execution-1"), session=SITUATIONS["Y"])
    assert refusal(session, submit("execution-2")) == "session is EXECUTING; SubmitSheet needs READY"


def test_a_failed_execution_can_be_tried_again_after_a_parse_and_a_spent_sheet_never() -> None:
    again = run(
        parse(), submit("execution-2"), finish(ExecutionState.SUCCEEDED, "execution-2"), session=SITUATIONS["F"]
    )
    assert again.committed == ("execution-2",)
    with pytest.raises(NotAllowed) as caught:
        decide(again, parse(), draw())
    assert caught.value.reason is Reason.SHEET_ALREADY_APPLIED


# --- the fold


def test_an_empty_log_is_no_session() -> None:
    with pytest.raises(ValueError, match="at least one event"):
        fold(())


def test_a_log_begins_with_what_makes_a_session() -> None:
    with pytest.raises(ValueError, match="log begins with ScopeCleared"):
        evolve(None, ScopeCleared(at=1))


def test_confirming_and_generating_never_touch_the_scope() -> None:
    session = run(ConfirmIntent(), GenerateSheet(sheet=OTHER_SHEET), session=SITUATIONS["Tu"])
    assert session.scope == SCOPE.scope
