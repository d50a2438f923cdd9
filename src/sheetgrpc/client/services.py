"""The services of a client: sessions are made and found here, sheets and executions are read (catalog.py: the rest).

What changes a session is a method of its handle (session.py). Lists are async iterators over every page.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol, TypeVar, Unpack

from sheetgrpc.client.calls import Caller, Creating, Reading
from sheetgrpc.client.events import SessionEvents
from sheetgrpc.client.lines import Resumed
from sheetgrpc.client.pages import PAGE_SIZE, pages
from sheetgrpc.client.session import Session, write_duration
from sheetgrpc.client.streams import ExecutionStream
from sheetgrpc.client.stubs import Stubs
from sheetgrpc.client.words import Json, Lifecycle, RunState, State, Status, write_time
from sheetgrpc.v1.diagnostic_pb2 import Diagnostic
from sheetgrpc.v1.execution_pb2 import Execution, ExecutionState
from sheetgrpc.v1.execution_service_pb2 import (
    GetExecutionRequest,
    ListExecutionsRequest,
    ListStatementResultsRequest,
    WatchExecutionRequest,
)
from sheetgrpc.v1.reference_pb2 import Reference
from sheetgrpc.v1.session_pb2 import Client as ClientMessage
from sheetgrpc.v1.session_pb2 import Session as SessionMessage
from sheetgrpc.v1.session_pb2 import SessionLifecycle, SessionState
from sheetgrpc.v1.session_service_pb2 import (
    CreateSessionRequest,
    GetSessionRequest,
    ListSessionEventsRequest,
    ListSessionsRequest,
    SessionEvent,
    WatchSessionRequest,
)
from sheetgrpc.v1.sheet_pb2 import Phase, Sheet, Symbol
from sheetgrpc.v1.sheet_service_pb2 import (
    CheckSheetRequest,
    GetSheetRequest,
    ListDiagnosticsRequest,
    ListPhasesRequest,
    ListReferencesRequest,
    ListStatementsRequest,
    ListSymbolsRequest,
)
from sheetgrpc.v1.statement_pb2 import Statement, StatementStatus
from sheetgrpc.v1.statement_result_pb2 import StatementResult


class Aimed(Protocol):
    """A request that reads a sheet."""

    session: str
    sheet_id: str


Z = TypeVar("Z", bound=Aimed)


class Sessions:
    """Sessions: made, found, listed."""

    def __init__(self, caller: Caller, stubs: Stubs, *, silence: float) -> None:
        self._caller = caller
        self._stubs = stubs
        self._silence = silence

    async def create(
        self,
        name: str = "",
        *,
        client: ClientMessage | None = None,
        role: str = "",
        task_id: str = "",
        metadata: Mapping[str, Json] | None = None,
        labels: Sequence[str] = (),
        lease: timedelta | None = None,
        **options: Unpack[Creating],
    ) -> Session:
        """Make a session. `metadata` holds what JSON can hold; without a sign of life for a `lease` it expires."""
        request = CreateSessionRequest(
            name=name, client=client, role=role, task_id=task_id, labels=labels, lease=write_duration(lease)
        )
        if metadata is not None:
            request.metadata.update(dict(metadata))
        reply = await self._caller.command(self._stubs.sessions.CreateSession, request, options)
        return self._handle(reply.response.session, replayed=reply.replayed)

    async def get(self, session: str, **options: Unpack[Reading]) -> Session:
        """Find a session by id, unique prefix of an id, or label."""
        request = GetSessionRequest(session=session)
        answer = await self._caller.read(self._stubs.sessions.GetSession, request, options)
        return self._handle(answer.session, replayed=False)

    async def resume(
        self,
        session: str,
        *,
        recent_events: int = 200,
        client: ClientMessage | None = None,
        **options: Unpack[Reading],
    ) -> Resumed:
        """Find a session with the last of its events; `client` is what the caller is now, to be warned of changes."""
        request = GetSessionRequest(session=session, recent_events=recent_events, client=client)
        answer = await self._caller.read(self._stubs.sessions.GetSession, request, options)
        handle = self._handle(answer.session, replayed=False)
        return Resumed(handle, answer.recent_events, answer.warnings)

    def list(
        self,
        *,
        states: Sequence[State] = (),
        lifecycles: Sequence[Lifecycle] = (),
        label: str = "",
        role: str = "",
        task_id: str = "",
        parent_id: str = "",
        client_name: str = "",
        client_target: str = "",
        created_after: datetime | None = None,
        created_before: datetime | None = None,
        page_size: int = PAGE_SIZE,
        **options: Unpack[Reading],
    ) -> AsyncIterator[SessionMessage]:
        """Sessions that match every filter given, newest first; without their templates and symbols.

        `created_after` lets through what was created then or later, `created_before` what was created before it;
        without a time zone they are in UTC.
        """
        request = ListSessionsRequest(
            states=[SessionState.Value(f"SESSION_STATE_{state}") for state in states],
            lifecycles=[SessionLifecycle.Value(f"SESSION_LIFECYCLE_{lifecycle}") for lifecycle in lifecycles],
            label=label,
            role=role,
            task_id=task_id,
            parent_id=parent_id,
            client_name=client_name,
            client_target=client_target,
            created_after=write_time(created_after),
            created_before=write_time(created_before),
            page_size=page_size,
        )

        async def fetch(token: str) -> tuple[Sequence[SessionMessage], str]:
            request.page_token = token
            answer = await self._caller.read(self._stubs.sessions.ListSessions, request, options)
            return answer.sessions, answer.next_page_token

        return pages(fetch)

    def events(
        self,
        session: str,
        *,
        after_sequence: int = 0,
        types: Sequence[str] = (),
        page_size: int = PAGE_SIZE,
        **options: Unpack[Reading],
    ) -> AsyncIterator[SessionEvent]:
        """Events of a session by sequence, of these types if any are given."""
        request = ListSessionEventsRequest(
            session=session, after_sequence=after_sequence, types=types, page_size=page_size
        )

        async def fetch(token: str) -> tuple[Sequence[SessionEvent], str]:
            request.page_token = token
            answer = await self._caller.read(self._stubs.sessions.ListSessionEvents, request, options)
            return answer.events, answer.next_page_token

        return pages(fetch)

    def watch(self, session: str, *, after_sequence: int = 0, incarnation: str = "") -> SessionEvents:
        """Events of a session, those that are there and then each as it happens, until the session has ended.

        `incarnation` is that of the server's information when `after_sequence` was told: after a restore it is another,
        and the watch begins with a Reset.
        """
        return SessionEvents(
            lambda after, known: self._stubs.sessions.WatchSession(
                WatchSessionRequest(session=session, after_sequence=after, incarnation=known)
            ),
            after_sequence=after_sequence,
            incarnation=incarnation,
            retry=self._caller.retry,
            silence=self._silence,
        )

    def symbols(self, session: str, *, page_size: int = PAGE_SIZE, **options: Unpack[Reading]) -> AsyncIterator[Symbol]:
        """Symbols that later sheets of the session may use, by name."""
        request = ListSymbolsRequest(session=session, page_size=page_size)

        async def fetch(token: str) -> tuple[Sequence[Symbol], str]:
            request.page_token = token
            answer = await self._caller.read(self._stubs.sheets.ListSymbols, request, options)
            return answer.symbols, answer.next_page_token

        return pages(fetch)

    def _handle(self, now: SessionMessage, *, replayed: bool) -> Session:
        return Session(self._caller, self._stubs, now, silence=self._silence, replayed=replayed)


class Sheets:
    """Sheets, read. `session` (its current sheet) or `sheet_id` says which."""

    def __init__(self, caller: Caller, stubs: Stubs) -> None:
        self._caller = caller
        self._stubs = stubs

    async def check(self, source: str, **options: Unpack[Reading]) -> Sheet:
        """What a text would be as a sheet; keeps nothing."""
        request = CheckSheetRequest(source=source)
        return (await self._caller.read(self._stubs.sheets.CheckSheet, request, options)).sheet

    async def get(
        self, *, session: str | None = None, sheet_id: str | None = None, **options: Unpack[Reading]
    ) -> Sheet:
        """One sheet, with the first 1,000 each of its phases, diagnostics and open references."""
        request = _aim(GetSheetRequest(), session, sheet_id)
        return (await self._caller.read(self._stubs.sheets.GetSheet, request, options)).sheet

    def statements(
        self,
        *,
        session: str | None = None,
        sheet_id: str | None = None,
        depth: int | None = None,
        page_size: int = PAGE_SIZE,
        **options: Unpack[Reading],
    ) -> AsyncIterator[Statement]:
        """Statements by index, of one phase if `depth` is given."""
        request = _aim(ListStatementsRequest(depth=depth, page_size=page_size), session, sheet_id)

        async def fetch(token: str) -> tuple[Sequence[Statement], str]:
            request.page_token = token
            answer = await self._caller.read(self._stubs.sheets.ListStatements, request, options)
            return answer.statements, answer.next_page_token

        return pages(fetch)

    def phases(
        self,
        *,
        session: str | None = None,
        sheet_id: str | None = None,
        page_size: int = PAGE_SIZE,
        **options: Unpack[Reading],
    ) -> AsyncIterator[Phase]:
        """Phases by depth."""
        request = _aim(ListPhasesRequest(page_size=page_size), session, sheet_id)

        async def fetch(token: str) -> tuple[Sequence[Phase], str]:
            request.page_token = token
            answer = await self._caller.read(self._stubs.sheets.ListPhases, request, options)
            return answer.phases, answer.next_page_token

        return pages(fetch)

    def diagnostics(
        self,
        *,
        session: str | None = None,
        sheet_id: str | None = None,
        page_size: int = PAGE_SIZE,
        **options: Unpack[Reading],
    ) -> AsyncIterator[Diagnostic]:
        """Diagnostics in source order."""
        request = _aim(ListDiagnosticsRequest(page_size=page_size), session, sheet_id)

        async def fetch(token: str) -> tuple[Sequence[Diagnostic], str]:
            request.page_token = token
            answer = await self._caller.read(self._stubs.sheets.ListDiagnostics, request, options)
            return answer.diagnostics, answer.next_page_token

        return pages(fetch)

    def references(
        self,
        *,
        session: str | None = None,
        sheet_id: str | None = None,
        unresolved_only: bool = False,
        page_size: int = PAGE_SIZE,
        **options: Unpack[Reading],
    ) -> AsyncIterator[Reference]:
        """References by statement index."""
        request = _aim(ListReferencesRequest(unresolved_only=unresolved_only, page_size=page_size), session, sheet_id)

        async def fetch(token: str) -> tuple[Sequence[Reference], str]:
            request.page_token = token
            answer = await self._caller.read(self._stubs.sheets.ListReferences, request, options)
            return answer.references, answer.next_page_token

        return pages(fetch)


class Executions:
    """Executions: watched, read, listed."""

    def __init__(self, caller: Caller, stubs: Stubs, *, silence: float) -> None:
        self._caller = caller
        self._stubs = stubs
        self._silence = silence

    async def get(self, execution: str, **options: Unpack[Reading]) -> Execution:
        """One execution as it is now."""
        request = GetExecutionRequest(execution=execution)
        return (await self._caller.read(self._stubs.executions.GetExecution, request, options)).execution

    def watch(self, execution: str, *, resume_token: str = "", include_results: bool = False) -> ExecutionStream:
        """The updates of an execution, from its snapshot or from where a token left off."""
        return ExecutionStream(
            start=None,
            resume=lambda known, token: self._stubs.executions.WatchExecution(
                WatchExecutionRequest(execution=known, resume_token=token, include_results=include_results)
            ),
            retry=self._caller.retry,
            silence=self._silence,
            execution_id=execution,
            resume_token=resume_token,
        )

    def list(
        self,
        *,
        session: str = "",
        states: Sequence[RunState] = (),
        page_size: int = PAGE_SIZE,
        **options: Unpack[Reading],
    ) -> AsyncIterator[Execution]:
        """Executions that match every filter given, newest first."""
        request = ListExecutionsRequest(
            session=session,
            states=[ExecutionState.Value(f"EXECUTION_STATE_{state}") for state in states],
            page_size=page_size,
        )

        async def fetch(token: str) -> tuple[Sequence[Execution], str]:
            request.page_token = token
            answer = await self._caller.read(self._stubs.executions.ListExecutions, request, options)
            return answer.executions, answer.next_page_token

        return pages(fetch)

    def results(
        self,
        execution: str,
        *,
        statuses: Sequence[Status] = (),
        page_size: int = PAGE_SIZE,
        **options: Unpack[Reading],
    ) -> AsyncIterator[StatementResult]:
        """What became of each statement, by index; nothing before the execution has ended."""
        request = ListStatementResultsRequest(
            execution=execution,
            statuses=[StatementStatus.Value(f"STATEMENT_STATUS_{status}") for status in statuses],
            page_size=page_size,
        )

        async def fetch(token: str) -> tuple[Sequence[StatementResult], str]:
            request.page_token = token
            answer = await self._caller.read(self._stubs.executions.ListStatementResults, request, options)
            return answer.results, answer.next_page_token

        return pages(fetch)


def _aim(request: Z, session: str | None, sheet_id: str | None) -> Z:
    if session is not None and sheet_id is None:
        request.session = session
    elif sheet_id is not None and session is None:
        request.sheet_id = sheet_id
    else:
        raise ValueError("give either session or sheet_id")
    return request
