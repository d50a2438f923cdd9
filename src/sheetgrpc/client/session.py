"""A session of the server as a handle: its commands as methods, its latest known state as `now`.

Every command gets a request id by itself and is retried with it (see retry.py). Reads of sheets and executions are in
services.py, and take the handle's `id`.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Protocol, TypeVar, Unpack

import grpc
from google.protobuf.duration_pb2 import Duration

from sheetgrpc.client.calls import Caller, Changing, Reading, Versioned, new_request_id
from sheetgrpc.client.streams import ExecutionStream
from sheetgrpc.client.stubs import Stubs
from sheetgrpc.client.words import Json, Mode, Outcome, ResetTarget
from sheetgrpc.v1.execution_pb2 import Execution, ExecutionMode
from sheetgrpc.v1.execution_service_pb2 import ExecuteSheetRequest, SubmitSheetRequest, WatchExecutionRequest
from sheetgrpc.v1.session_pb2 import Session as SessionMessage
from sheetgrpc.v1.session_pb2 import SessionLifecycle, SessionState
from sheetgrpc.v1.session_service_pb2 import (
    AppendSessionEventsRequest,
    ClearScopeRequest,
    CloseSessionRequest,
    ConfirmIntentRequest,
    EntityFilter,
    EntityIds,
    ForkSessionRequest,
    GetSessionRequest,
    LabelSessionRequest,
    RedoSessionRequest,
    RenewSessionRequest,
    ResetSessionRequest,
    SessionEntry,
    SessionEvent,
    SetScopeRequest,
    SetTemplateRequest,
    UndoSessionRequest,
    UpdateSessionRequest,
)
from sheetgrpc.v1.sheet_pb2 import Sheet
from sheetgrpc.v1.sheet_service_pb2 import (
    GenerateSheetRequest,
    ImportSheetRequest,
    ParseSheetRequest,
    ResolveReferenceRequest,
)


class Answer(Protocol):
    """A response that tells the session after the command."""

    @property
    def session(self) -> SessionMessage:
        """The session."""


V = TypeVar("V", bound=Versioned)
A = TypeVar("A", bound=Answer)


class Session:
    """One session. Commands raise SheetgrpcError where the server refuses; a refused command has changed nothing."""

    def __init__(self, caller: Caller, stubs: Stubs, now: SessionMessage, *, silence: float, replayed: bool) -> None:
        self.now = now
        """The session as last told by the server."""
        self.replayed = replayed
        """Whether the last command had been answered before, under its request id."""
        self._caller = caller
        self._stubs = stubs
        self._silence = silence

    @property
    def id(self) -> str:
        """Id: a ULID."""
        return self.now.id

    async def refresh(self, **options: Unpack[Reading]) -> SessionMessage:
        """Read the session anew."""
        answer = await self._caller.read(self._stubs.sessions.GetSession, GetSessionRequest(session=self.id), options)
        self._note(answer.session)
        return self.now

    async def set_scope(
        self,
        entity_type: str,
        *,
        entity_ids: Sequence[str] | None = None,
        equals: Mapping[str, str] | None = None,
        everything: bool = False,
        **options: Unpack[Changing],
    ) -> None:
        """Select the entities to work on: by key, by columns that must all match, or all of the type.

        Raises:
            ValueError: not exactly one of the three selectors is given.
        """
        request = SetScopeRequest(session=self.id, entity_type=entity_type)
        if (entity_ids is not None) + (equals is not None) + everything != 1:
            raise ValueError("give exactly one of entity_ids, equals and everything")
        if entity_ids is not None:
            request.entity_ids.CopyFrom(EntityIds(ids=entity_ids))
        elif equals is not None:
            request.filter.CopyFrom(EntityFilter(equals=equals))
        else:
            request.all = True
        await self._change(self._stubs.sessions.SetScope, request, options)

    async def clear_scope(self, **options: Unpack[Changing]) -> None:
        """Clear the scope and every layer above it."""
        await self._change(self._stubs.sessions.ClearScope, ClearScopeRequest(session=self.id), options)

    async def set_template(self, source: str, *, target_entity_type: str = "", **options: Unpack[Changing]) -> None:
        """Say what to do to each entity of the scope; the target is the scope's type unless given."""
        request = SetTemplateRequest(session=self.id, source=source, target_entity_type=target_entity_type)
        await self._change(self._stubs.sessions.SetTemplate, request, options)

    async def confirm_intent(self, **options: Unpack[Changing]) -> None:
        """Confirm that the template is meant for the scope."""
        await self._change(self._stubs.sessions.ConfirmIntent, ConfirmIntentRequest(session=self.id), options)

    async def generate_sheet(self, **options: Unpack[Changing]) -> Sheet:
        """Make a sheet of template and scope."""
        request = GenerateSheetRequest(session=self.id)
        return (await self._change(self._stubs.sheets.GenerateSheet, request, options)).sheet

    async def import_sheet(self, source: str, **options: Unpack[Changing]) -> Sheet:
        """Take a text as the session's sheet; it is kept, not judged."""
        request = ImportSheetRequest(session=self.id, source=source)
        return (await self._change(self._stubs.sheets.ImportSheet, request, options)).sheet

    async def parse_sheet(self, **options: Unpack[Changing]) -> Sheet:
        """Analyse the sheet: diagnostics, open references, phases. What is wrong with it is told, not raised."""
        request = ParseSheetRequest(session=self.id)
        return (await self._change(self._stubs.sheets.ParseSheet, request, options)).sheet

    async def resolve_reference(
        self, ref_id: str, entity_id: str, *, apply_to_same_text: bool = False, **options: Unpack[Changing]
    ) -> Sheet:
        """Say which entity a name means, and if asked, every open one of the same text and type."""
        request = ResolveReferenceRequest(
            session=self.id, ref_id=ref_id, entity_id=entity_id, apply_to_same_text=apply_to_same_text
        )
        return (await self._change(self._stubs.sheets.ResolveReference, request, options)).sheet

    async def submit_sheet(
        self,
        *,
        confirm: bool,
        mode: Mode = "ATOMIC",
        timeout: timedelta | None = None,  # noqa: ASYNC109  (not of this call: a field of the request)
        priority: int = 0,
        **options: Unpack[Changing],
    ) -> Execution:
        """Queue the sheet and return at once. `timeout` is for the run; absent, the server's default counts.

        A higher `priority` (-100 to 100) runs sooner.
        """
        request = SubmitSheetRequest(
            session=self.id,
            confirm=confirm,
            mode=_mode(mode),
            timeout=write_duration(timeout),
            priority=priority,
        )
        return (await self._change(self._stubs.executions.SubmitSheet, request, options)).execution

    def execute_sheet(
        self,
        *,
        confirm: bool,
        mode: Mode = "ATOMIC",
        timeout: timedelta | None = None,
        priority: int = 0,
        include_results: bool = False,
        **options: Unpack[Changing],
    ) -> ExecutionStream:
        """Run the sheet and watch it: nothing is sent before the first update is asked for.

        A deadline among the options is not used: a stream lives as long as its execution. `timeout` is for the run; a
        higher `priority` (-100 to 100) runs sooner.
        """
        request = ExecuteSheetRequest(
            session=self.id,
            confirm=confirm,
            mode=_mode(mode),
            timeout=write_duration(timeout),
            priority=priority,
            include_results=include_results,
            request_id=options.get("request_id") or new_request_id(),
            expected_version=options.get("expected_version"),
        )
        return ExecutionStream(
            start=lambda: self._stubs.executions.ExecuteSheet(request),
            resume=lambda execution, token: self._stubs.executions.WatchExecution(
                WatchExecutionRequest(execution=execution, resume_token=token, include_results=include_results)
            ),
            retry=self._caller.retry,
            silence=self._silence,
            request_id=request.request_id,
        )

    async def reset(self, to: ResetTarget, **options: Unpack[Changing]) -> None:
        """Go back to SCOPED or EMPTY; committed data is never undone."""
        request = ResetSessionRequest(session=self.id, to=SessionState.Value(f"SESSION_STATE_{to}"))
        await self._change(self._stubs.sessions.ResetSession, request, options)

    async def undo(self, **options: Unpack[Changing]) -> None:
        """Take the last step back: scope, template, sheet and execution as they were; committed data stays."""
        await self._change(self._stubs.sessions.UndoSession, UndoSessionRequest(session=self.id), options)

    async def redo(self, **options: Unpack[Changing]) -> None:
        """Take the last undo back."""
        await self._change(self._stubs.sessions.RedoSession, RedoSessionRequest(session=self.id), options)

    async def fork(self, *, at_sequence: int = 0, name: str = "", **options: Unpack[Changing]) -> "Session":
        """Make another session that begins with what this one has, or had at that event; this one stays as it is.

        `expected_version` among the options is this session's. The name is this session's unless given.
        """
        request = ForkSessionRequest(session=self.id, at_sequence=at_sequence, name=name)
        if "expected_version" in options:
            request.expected_version = options["expected_version"]
        reply = await self._caller.command(self._stubs.sessions.ForkSession, request, options)
        return Session(
            self._caller, self._stubs, reply.response.session, silence=self._silence, replayed=reply.replayed
        )

    async def label(self, label: str, **options: Unpack[Changing]) -> None:
        """Give the session a label; another session that has it loses it."""
        await self._change(
            self._stubs.sessions.LabelSession, LabelSessionRequest(session=self.id, label=label), options
        )

    async def update(
        self,
        *,
        name: str | None = None,
        role: str | None = None,
        task_id: str | None = None,
        metadata: Mapping[str, Json] | None = None,
        **options: Unpack[Changing],
    ) -> None:
        """Change what the session says of itself: None leaves a field as it is, "" clears it.

        `metadata` is merged into what is there (RFC 7396): a None in it removes its key.
        """
        request = UpdateSessionRequest(session=self.id, name=name or "", role=role or "", task_id=task_id or "")
        if metadata is not None:
            request.metadata.update(dict(metadata))
        fields = {"name": name, "role": role, "task_id": task_id, "metadata": metadata}
        request.update_mask.paths.extend(field for field, value in fields.items() if value is not None)
        await self._change(self._stubs.sessions.UpdateSession, request, options)

    async def append_events(
        self, entries: Sequence[SessionEntry], **options: Unpack[Changing]
    ) -> Sequence[SessionEvent]:
        """Record lines of a terminal, 1 to 100, all or none; `entry` makes them. Answers with them as events."""
        request = AppendSessionEventsRequest(session=self.id, entries=entries)
        return (await self._change(self._stubs.sessions.AppendSessionEvents, request, options)).events

    async def renew(self, **options: Unpack[Changing]) -> None:
        """Show a sign of life: the session's lease, or the time that the server keeps it, begins again."""
        await self._change(self._stubs.sessions.RenewSession, RenewSessionRequest(session=self.id), options)

    async def close(self, outcome: Outcome = "COMPLETED", **options: Unpack[Changing]) -> None:
        """End the session for good."""
        request = CloseSessionRequest(session=self.id, outcome=SessionLifecycle.Value(f"SESSION_LIFECYCLE_{outcome}"))
        await self._change(self._stubs.sessions.CloseSession, request, options)

    async def _change(self, method: grpc.aio.UnaryUnaryMultiCallable[V, A], request: V, options: Changing) -> A:
        if "expected_version" in options:
            request.expected_version = options["expected_version"]
        reply = await self._caller.command(method, request, options)
        self.replayed = reply.replayed
        self._note(reply.response.session)
        return reply.response

    def _note(self, told: SessionMessage) -> None:
        if told.version >= self.now.version:  # a replayed answer may be older than what is known
            self.now = told


def _mode(mode: Mode) -> ExecutionMode.ValueType:
    return ExecutionMode.Value(f"EXECUTION_MODE_{mode}")


def write_duration(time: timedelta | None) -> Duration | None:
    """A span of time as the wire has it; None stays None."""
    if time is None:
        return None
    duration = Duration()
    duration.FromTimedelta(time)
    return duration
