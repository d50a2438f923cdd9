"""The SDK against the real server: both flows, exactly once, pages, streams, a server that is started anew."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from sheetgrpc.client import (
    Client,
    Conflict,
    Finished,
    InvalidRequest,
    NotAllowed,
    NotFound,
    PhaseCompleted,
    Session,
    Snapshot,
    StatementResults,
    connect,
    words,
)
from sheetgrpc.config import Settings
from sheetgrpc.engine.opening import open_engine
from sheetgrpc.server.app import Server

SHEET = """\
(cbu.ensure :name "Ahorn Fund" :jurisdiction "LU" :as @fund)
(entity.ensure-limited-company :name "Ahorn AG" :jurisdiction "CH" :as @manager)
(cbu.assign-role :cbu-id @fund :entity-id @manager :role "MANAGEMENT_COMPANY")
"""


@asynccontextmanager
async def serving(directory: Path, listen: str = "127.0.0.1:0") -> AsyncIterator[str]:
    server = Server(await open_engine(Settings(listen=listen, database=f"sqlite:///{directory}/a.db")))
    await server.start()
    try:
        yield server.address
    finally:
        await server.stop(grace=0)


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    async with serving(tmp_path) as address, connect(address) as one:
        yield one


async def ready(client: Client, source: str = SHEET) -> Session:
    session = await client.sessions.create("test")
    await session.import_sheet(source)
    await session.parse_sheet()
    assert words.session_state(session.now.state) == "READY"
    return session


async def test_a_raw_sheet_is_executed_and_told_phase_by_phase(client: Client) -> None:
    session = await ready(client)
    stream = session.execute_sheet(confirm=True, include_results=True, timeout=timedelta(seconds=30))
    updates = [update async for update in stream]
    assert isinstance(updates[0], Snapshot)
    assert isinstance(updates[-1], Finished)
    assert words.execution_state(updates[-1].execution.state) == "SUCCEEDED"
    assert sum(update.succeeded for update in updates if isinstance(update, PhaseCompleted)) == 3
    assert sum(len(update.results) for update in updates if isinstance(update, StatementResults)) == 3
    results = [result async for result in client.executions.results(stream.execution_id)]
    assert [words.effect_kind(result.effect_kind) for result in results] == ["CREATED"] * 3
    assert words.session_state((await session.refresh()).state) == "EXECUTED"
    assert [symbol.name async for symbol in client.sessions.symbols(session.id)] == ["fund", "manager"]


async def test_a_template_is_executed_for_every_entity_of_a_scope(client: Client) -> None:
    await (await ready(client)).execute_sheet(confirm=True).finished()
    session = await client.sessions.create()
    await session.set_scope("cbu", equals={"jurisdiction": "LU"})
    await session.set_template("(cbu.add-product :cbu-id @cbu :product CUSTODY)")
    await session.confirm_intent()
    generated = await session.generate_sheet()
    assert generated.statement_count == 1
    await session.parse_sheet()
    execution = await session.submit_sheet(confirm=True)
    ended = await client.executions.watch(execution.id).finished()
    assert [(one.table, one.created) for one in ended.tables] == [("cbu_products", 1)]


async def test_a_repeat_with_the_same_request_id_is_replayed(client: Client) -> None:
    first = await client.sessions.create("once", request_id="r-1")
    again = await client.sessions.create("once", request_id="r-1")
    assert (first.replayed, again.replayed) == (False, True)
    assert first.now == again.now
    with pytest.raises(InvalidRequest) as raised:
        await client.sessions.create("twice", request_id="r-1")
    assert (raised.value.reason, raised.value.request_id) == ("REQUEST_ID_REUSED", "r-1")


async def test_an_execution_is_submitted_once_however_often_it_is_asked_for(client: Client) -> None:
    session = await ready(client)
    first = session.execute_sheet(confirm=True, request_id="run-1")
    again = session.execute_sheet(confirm=True, request_id="run-1")
    assert await first.finished() == await again.finished()
    assert first.execution_id == again.execution_id
    assert len([one async for one in client.executions.list(session=session.id)]) == 1


async def test_refusals_are_told_by_class_and_reason(client: Client) -> None:
    session = await ready(client)
    with pytest.raises(Conflict) as conflict:
        await session.clear_scope(expected_version=1)
    assert conflict.value.reason == "VERSION_CONFLICT"
    with pytest.raises(NotAllowed) as refused:
        await session.confirm_intent()
    assert refused.value.reason == "ACTION_NOT_ALLOWED"
    with pytest.raises(InvalidRequest) as unconfirmed:
        await session.execute_sheet(confirm=False).finished()
    assert unconfirmed.value.reason == "CONFIRMATION_REQUIRED"
    with pytest.raises(NotFound) as missing:
        await client.sessions.get("nosuch")
    assert missing.value.reason == "SESSION_NOT_FOUND"
    with pytest.raises(InvalidRequest) as bad:
        await client.catalog.search("planet", "x")
    assert bad.value.violations


async def test_lists_read_every_page(client: Client) -> None:
    session = await ready(client)
    statements = [one.index async for one in client.sheets.statements(session=session.id, page_size=2)]
    assert statements == [0, 1, 2]
    phases = [one.statement_count async for one in client.sheets.phases(session=session.id, page_size=1)]
    assert phases == [2, 1]
    verbs = [verb.name async for verb in client.catalog.verbs(page_size=7)]
    assert verbs == sorted(verbs)
    assert len(verbs) == (await client.catalog.get()).verb_count
    for number in range(3):
        await client.sessions.create(f"n{number}")
    names = [one.name async for one in client.sessions.list(page_size=2)]
    assert names == ["n2", "n1", "n0", "test"]


async def test_references_are_resolved_by_candidates(client: Client) -> None:
    await (await ready(client)).execute_sheet(confirm=True).finished()
    text = '(cbu.assign-role :cbu-id "Ahorn Fun" :entity-id <Ahorn> :role "X")'
    session = await client.sessions.create()
    await session.import_sheet(text)
    sheet = await session.parse_sheet()
    assert words.session_state(session.now.state) == "RESOLVING"
    while sheet.unresolved_count:
        reference = sheet.unresolved_references[0]
        sheet = await session.resolve_reference(reference.ref_id, reference.candidates[0].entity_id)
    assert words.session_state(session.now.state) == "READY"
    found = [one async for one in client.sheets.references(session=session.id)]
    assert all(one.entity_id for one in found)
    assert len(found) == 2


async def test_calls_outlive_the_server_they_began_with(tmp_path: Path) -> None:
    async with serving(tmp_path) as address, connect(address) as client:
        session = await ready(client)
        stream = session.execute_sheet(confirm=True, request_id="run-1")
        first = await anext(stream)
        assert isinstance(first, Snapshot)
    async with serving(tmp_path, address), connect(address) as client:
        again = await client.sessions.get(session.id)
        ended = await again.execute_sheet(confirm=True, request_id="run-1").finished()
        assert ended.id == first.execution.id
        assert words.execution_state(ended.state) in words.ENDED


async def test_one_client_goes_on_with_a_server_that_was_started_anew(tmp_path: Path) -> None:
    async with serving(tmp_path) as address:
        client = connect(address)
        session = await ready(client)
    async with client, serving(tmp_path, address):
        assert (await session.refresh()).version == session.now.version
        execution = await session.execute_sheet(confirm=True).finished()
        assert words.execution_state(execution.state) == "SUCCEEDED"
