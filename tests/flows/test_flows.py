"""Both ways to a sheet, over the wire to EXECUTED: on the bundled catalog, and on tables that the server never saw."""

from typing import Any

from tests.flows.serving import SECONDS, Client, Process, execute, kinds, refused, rows, submit

from sheetgrpc.v1 import execution_pb2, session_pb2, statement_pb2, statement_result_pb2
from sheetgrpc.v1 import session_service_pb2 as sessions
from sheetgrpc.v1 import sheet_service_pb2 as sheets

STATES = session_pb2.SessionState
SUCCEEDED = execution_pb2.EXECUTION_STATE_SUCCEEDED
Served = tuple[Process, Client]


def state(session: session_pb2.Session) -> str:
    return STATES.Name(session.state).removeprefix("SESSION_STATE_")


def effects(client: Client, execution: Any) -> list[str]:
    kind = statement_result_pb2.EffectKind
    return [kind.Name(one.effect_kind).removeprefix("EFFECT_KIND_") for one in client.results(execution.id)]


def generate(client: Client, template: str, **scope: Any) -> tuple[str, session_pb2.Session, Any]:
    """Template x scope up to a parsed sheet."""
    session = client.create(name="a template")
    steps = client.sessions
    scoped = steps.SetScope(sessions.SetScopeRequest(session=session, **scope), timeout=SECONDS).session
    assert state(scoped) == "SCOPED"
    templated = steps.SetTemplate(
        sessions.SetTemplateRequest(session=session, source=template), timeout=SECONDS
    ).session
    assert (state(templated), templated.intent_confirmed) == ("TEMPLATED", False)
    assert "GenerateSheet" not in templated.allowed_actions
    confirmed = steps.ConfirmIntent(sessions.ConfirmIntentRequest(session=session), timeout=SECONDS).session
    assert confirmed.intent_confirmed
    made = client.sheets.GenerateSheet(sheets.GenerateSheetRequest(session=session), timeout=SECONDS)
    assert state(made.session) == "GENERATED"
    parsed = client.sheets.ParseSheet(sheets.ParseSheetRequest(session=session), timeout=SECONDS)
    return session, parsed.session, parsed.sheet


def test_a_raw_sheet_over_foreign_tables(foreign: Served) -> None:
    process, client = foreign
    session, parsed = client.parse(
        "(swap.set :plot @plot :grower @piet :crates 3)\n"
        '(plot.ensure :grower (grower.ensure :code "raw-jan" :name "Jan" :as @jan) :number 7 :apple @elstar\n'
        "  :as @plot)\n"
        '(apple.ensure :apple "raw-elstar" :colour "red; with \\"stripes\\"" :as @elstar)\n'
        '(grower.ensure :code "raw-piet" :as @piet)\n'
        '(grower.move :grower @jan :village "Breda")\n'
        '(grower.find :code "raw-jan")\n'
        '(grower.is-there :code "raw-piet")'
    )
    assert state(parsed.session) == "READY", parsed.sheet.diagnostics
    messages = client.execute(session, include_results=True)
    finished = messages[-1].finished
    assert (finished.state, finished.status_counts[0].count) == (SUCCEEDED, 8)
    assert kinds(messages)[0] == "snapshot"
    results = client.results(finished.id)
    (jan,) = rows(process.database, "SELECT grower_no FROM growers WHERE code = 'raw-jan'")
    assert rows(process.database, "SELECT name, village FROM growers WHERE grower_no = ?", jan) == [("Jan", "Breda")]
    assert rows(process.database, "SELECT colour FROM apples WHERE apple = 'raw-elstar'") == ['red; with "stripes"']
    assert rows(
        process.database,
        "SELECT g.code, p.number, p.apple, s.crates FROM swaps s JOIN plots p USING (plot_id)"
        " JOIN growers g ON g.grower_no = p.grower_no"
        " WHERE p.grower_no = ?",
        jan,
    ) == [("raw-jan", 7, "raw-elstar", 3)]
    now = client.session(session)
    assert state(now) == "EXECUTED"
    assert (now.symbols["jan"], now.symbols["elstar"]) == (str(jan), "raw-elstar")
    assert len(now.symbols["plot"]) == len("00000000-0000-7000-8000-000000000000")
    read = next(one for one in results if one.effect_kind == statement_result_pb2.EFFECT_KIND_READ)
    assert [dict(row) for row in read.rows] == [{"grower_no": jan, "name": "Jan", "village": "Breda"}]
    kinds_told = sorted({statement_result_pb2.EffectKind.Name(one.effect_kind) for one in results})
    assert kinds_told == ["EFFECT_KIND_ASSERTED", "EFFECT_KIND_CREATED", "EFFECT_KIND_READ", "EFFECT_KIND_UPDATED"]


def test_a_template_over_foreign_keys_that_the_database_made(foreign: Served) -> None:
    process, client = foreign
    client.run("\n".join(f'(grower.ensure :code "tpl-{number}" :village "Tiel")' for number in range(3)))
    session, parsed, sheet = generate(
        client,
        "(plot.ensure :grower @grower :number 1 :as @home)\n"
        "(swap.set :plot @home :grower @grower :crates 1) ; @grower2",
        entity_type="grower",
        filter={"equals": {"village": "Tiel"}},
    )
    assert (state(parsed), sheet.statement_count, sheet.phase_count) == ("READY", 6, 2)
    assert parsed.scope.entity_count == 3
    keys = rows(process.database, "SELECT grower_no FROM growers WHERE village = 'Tiel' ORDER BY grower_no")
    listed = client.sheets.ListStatements(sheets.ListStatementsRequest(session=session), timeout=SECONDS).statements
    assert [(one.entity_id, one.template_statement) for one in listed] == [
        (str(key), at) for key in keys for at in (0, 1)
    ]
    (finished,) = [one.finished for one in client.execute(session) if one.WhichOneof("update") == "finished"]
    assert effects(client, finished) == ["CREATED"] * 6
    assert rows(
        process.database, "SELECT count(*) FROM swaps JOIN growers USING (grower_no) WHERE village = 'Tiel'"
    ) == [3]
    assert set(client.session(session).symbols) == {"home-1", "home-2", "home-3"}


def test_a_template_over_string_keys_in_the_callers_order(foreign: Served) -> None:
    process, client = foreign
    client.run('(apple.ensure :apple "key-b") (apple.ensure :apple "key-a") (grower.ensure :code "key-grower")')
    (grower,) = rows(process.database, "SELECT grower_no FROM growers WHERE code = 'key-grower'")
    session, parsed, _ = generate(
        client,
        f"(plot.ensure :grower {grower} :number 5 :apple @apple)",
        entity_type="apple",
        entity_ids={"ids": ["key-b", "key-a", "key-b"]},
    )
    assert state(parsed) == "READY"
    listed = client.sheets.ListStatements(sheets.ListStatementsRequest(session=session), timeout=SECONDS).statements
    assert [one.entity_id for one in listed] == ["key-b", "key-a"]
    finished = client.execute(session)[-1].finished
    assert effects(client, finished) == ["CREATED", "UPDATED"]  # one plot: its number is its name


def test_both_flows_on_the_bundled_catalog(bundled: Served) -> None:
    process, client = bundled
    first = client.run(
        '(cbu.ensure :name "Flow One" :jurisdiction "LU" :as @one)\n'
        '(entity.ensure-limited-company :name "Flow AG" :jurisdiction "CH" :as @ag)\n'
        '(cbu.assign-role :cbu-id @one :entity-id @ag :role "CUSTODIAN")\n'
        '(cbu.ensure :name "Flow Two" :jurisdiction "IE")'
    )
    assert first.state == SUCCEEDED
    session, parsed, sheet = generate(
        client,
        "(cbu.add-product :cbu-id @cbu :product CUSTODY)\n(cbu.set-currency :cbu-id @cbu :currency EUR)",
        entity_type="cbu",
        all=True,
    )
    assert state(parsed) == "READY"
    everyone = rows(process.database, "SELECT count(*) FROM cbus")[0]
    assert sheet.statement_count == 2 * everyone
    finished = client.execute(session)[-1].finished
    assert finished.state == SUCCEEDED
    assert rows(process.database, "SELECT count(*) FROM cbu_products WHERE product = 'CUSTODY'") == [everyone]
    assert rows(process.database, "SELECT DISTINCT currency FROM cbus") == ["EUR"]


def test_symbols_of_a_committed_sheet_are_for_the_next_one(foreign: Served) -> None:
    process, client = foreign
    session = client.create()
    client.run('(grower.ensure :code "sym-1" :as @grower)', session)
    finished = client.run("(plot.ensure :grower @grower :number 1 :as @plot)", session)
    assert finished.state == SUCCEEDED
    (key,) = rows(process.database, "SELECT plot_id FROM plots JOIN growers USING (grower_no) WHERE code = 'sym-1'")
    assert client.session(session).symbols["plot"] == key
    client.sessions.ResetSession(
        sessions.ResetSessionRequest(session=session, to=STATES.SESSION_STATE_EMPTY), timeout=SECONDS
    )
    _, parsed = client.parse("(plot.ensure :grower @grower :number 2)", session)
    assert state(parsed.session) == "PARSED"
    assert [one.message for one in parsed.sheet.diagnostics if "grower" in one.message]


def test_a_spent_sheet_is_refused_and_a_new_one_is_not(foreign: Served) -> None:
    _, client = foreign
    session = client.ready('(grower.ensure :code "spent")')
    client.execute(session)
    for call, request in (
        (client.sheets.ParseSheet, sheets.ParseSheetRequest(session=session)),
        (client.executions.SubmitSheet, submit(session)),
        (client.executions.ExecuteSheet, execute(session)),
    ):
        refusal = refused(call, request)
        assert (refusal.code.name, refusal.reason) == ("FAILED_PRECONDITION", "SHEET_ALREADY_APPLIED")
        assert refusal.metadata["state"] == "EXECUTED"
        assert refusal.metadata["allowedActions"].split(",") == list(client.session(session).allowed_actions)
    assert client.run('(grower.ensure :code "spent")', session).state == SUCCEEDED


def test_references_are_resolved_by_hand_where_the_name_is_not_enough(foreign: Served) -> None:
    process, client = foreign
    client.run(
        '(grower.ensure :code "ref-1" :name "Willem de Vries") (grower.ensure :code "ref-2" :name "Willem de Vries")'
        '(grower.ensure :code "ref-3" :name "Karel Smit")'
    )
    source = "".join(
        f"(plot.ensure :grower <{name}> :number {number})\n"
        for number, name in enumerate(["Willem de Vries", "Karel Smit", "Willem de Vries", "Karl Smid"], 10)
    )
    session, parsed = client.parse(source)
    assert (state(parsed.session), parsed.session.unresolved_count) == ("RESOLVING", 3)
    listed = client.sheets.ListReferences(sheets.ListReferencesRequest(session=session), timeout=SECONDS).references
    assert [bool(one.entity_id) for one in listed] == [False, True, False, False]
    opened = [one for one in listed if not one.entity_id]
    willem = opened[0]
    assert [one.score for one in willem.candidates[:2]] == [1.0, 1.0]
    assert opened[2].candidates[0].display == "Karel Smit"

    def resolve(ref_id: str, key: str, **more: bool) -> Any:
        request = sheets.ResolveReferenceRequest(session=session, ref_id=ref_id, entity_id=key, **more)
        return client.sheets.ResolveReference(request, timeout=SECONDS).session

    assert resolve(willem.ref_id, willem.candidates[1].entity_id, apply_to_same_text=True).unresolved_count == 1
    assert state(resolve(opened[2].ref_id, opened[2].candidates[0].entity_id)) == "READY"
    again = client.sheets.ParseSheet(sheets.ParseSheetRequest(session=session), timeout=SECONDS)
    assert state(again.session) == "READY"  # what was resolved stays resolved
    assert client.execute(session)[-1].finished.state == SUCCEEDED
    found = rows(
        process.database,
        "SELECT p.number, g.code FROM plots p JOIN growers g USING (grower_no) WHERE g.code LIKE 'ref-%'"
        " ORDER BY p.number",
    )
    chosen = rows(process.database, "SELECT code FROM growers WHERE grower_no = ?", willem.candidates[1].entity_id)[0]
    assert found == [(10, chosen), (11, "ref-3"), (12, chosen), (13, "ref-3")]


def test_statements_show_what_they_were_resolved_to(foreign: Served) -> None:
    process, client = foreign
    client.run('(grower.ensure :code "shown" :name "Shown Grower")')
    session = client.ready("(plot.ensure :grower <Shown Grower> :number 1)")
    (key,) = rows(process.database, "SELECT grower_no FROM growers WHERE code = 'shown'")
    (one,) = client.sheets.ListStatements(sheets.ListStatementsRequest(session=session), timeout=SECONDS).statements
    assert [(at.name, at.entity_id, at.display) for at in one.resolved_arguments] == [
        ("grower", str(key), "Shown Grower")
    ]
    assert one.status == statement_pb2.STATEMENT_STATUS_RESOLVED
