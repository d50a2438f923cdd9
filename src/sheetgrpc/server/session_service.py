"""SessionService: each method reads the request, calls the engine once, writes the answer."""

from sheetgrpc.engine import intents
from sheetgrpc.engine.engine import Engine
from sheetgrpc.server.calls import Call
from sheetgrpc.server.commands import run_command
from sheetgrpc.server.convert import lines, requests
from sheetgrpc.server.convert.events import encode_news, write_event
from sheetgrpc.server.convert.form import Form
from sheetgrpc.server.convert.sessions import fill_session, with_session, write_session
from sheetgrpc.server.paging import MOMENTS, POSITIONS, RESERVED_BYTES, read_page
from sheetgrpc.server.recent import read_recent
from sheetgrpc.session.details import find_drift
from sheetgrpc.v1 import session_service_pb2 as pb


class SessionService:
    """Sessions: made, found, steered, closed."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def create_session(self, request: pb.CreateSessionRequest, call: Call) -> bytes:
        """Creates a session."""
        retention = self._engine.settings.retention_us
        return await run_command(
            self._engine,
            call,
            request,
            lambda form, request: requests.read_create_session(form, request, retention),
            lambda outcome: with_session(pb.CreateSessionResponse(), outcome.session),
        )

    async def get_session(self, request: pb.GetSessionRequest, call: Call) -> pb.GetSessionResponse:
        """Gets a session."""
        form = Form()
        session = form.name("session", request.session)
        recent, client = lines.read_recent(form, request)
        form.done()
        view = await self._engine.get_session(session, call.caller)
        answer = pb.GetSessionResponse()
        fill_session(answer.session, view)
        if client is not None:
            answer.warnings.extend(find_drift(view.row.session.client, client))
        if recent:
            budget = call.max_send_bytes - RESERVED_BYTES - answer.ByteSize()
            answer.recent_events.extend(await read_recent(self._engine, view.row.session, recent, budget))
        return answer

    async def list_sessions(self, request: pb.ListSessionsRequest, call: Call) -> pb.ListSessionsResponse:
        """Lists sessions."""
        form = Form()
        page = read_page(form, request, MOMENTS, call.max_send_bytes)
        wanted = requests.read_session_filter(form, request, call.caller)
        form.done()
        found = await self._engine.list_sessions(wanted, page.wanted, page.after)
        sessions, token = page.write(
            found,
            lambda view: write_session(view, listed=True),
            lambda _, view: (view.row.session.created_at, view.row.session.id),
        )
        return pb.ListSessionsResponse(sessions=sessions, next_page_token=token)

    async def close_session(self, request: pb.CloseSessionRequest, call: Call) -> bytes:
        """Closes a session."""
        return await run_command(
            self._engine,
            call,
            request,
            requests.read_close_session,
            lambda outcome: with_session(pb.CloseSessionResponse(), outcome.session),
        )

    async def renew_session(self, request: pb.RenewSessionRequest, call: Call) -> bytes:
        """Renews a session."""
        return await run_command(
            self._engine,
            call,
            request,
            lambda _form, _request: intents.RenewSession(),
            lambda outcome: with_session(pb.RenewSessionResponse(), outcome.session),
        )

    async def set_scope(self, request: pb.SetScopeRequest, call: Call) -> bytes:
        """Sets the scope."""
        limit = self._engine.settings.max_scope_entities
        return await run_command(
            self._engine,
            call,
            request,
            lambda form, request: requests.read_set_scope(form, request, limit),
            lambda outcome: with_session(pb.SetScopeResponse(), outcome.session),
        )

    async def clear_scope(self, request: pb.ClearScopeRequest, call: Call) -> bytes:
        """Clears the scope."""
        return await run_command(
            self._engine,
            call,
            request,
            lambda _form, _request: intents.ClearScope(),
            lambda outcome: with_session(pb.ClearScopeResponse(), outcome.session),
        )

    async def set_template(self, request: pb.SetTemplateRequest, call: Call) -> bytes:
        """Sets the template."""
        return await run_command(
            self._engine,
            call,
            request,
            requests.read_set_template,
            lambda outcome: with_session(pb.SetTemplateResponse(), outcome.session),
        )

    async def confirm_intent(self, request: pb.ConfirmIntentRequest, call: Call) -> bytes:
        """Confirms the intent."""
        return await run_command(
            self._engine,
            call,
            request,
            lambda _form, _request: intents.ConfirmIntent(),
            lambda outcome: with_session(pb.ConfirmIntentResponse(), outcome.session),
        )

    async def reset_session(self, request: pb.ResetSessionRequest, call: Call) -> bytes:
        """Resets a session."""
        return await run_command(
            self._engine,
            call,
            request,
            requests.read_reset_session,
            lambda outcome: with_session(pb.ResetSessionResponse(), outcome.session),
        )

    async def undo_session(self, request: pb.UndoSessionRequest, call: Call) -> bytes:
        """Takes the last step back."""
        return await run_command(
            self._engine,
            call,
            request,
            lambda _form, _request: intents.UndoSession(),
            lambda outcome: with_session(pb.UndoSessionResponse(), outcome.session),
        )

    async def redo_session(self, request: pb.RedoSessionRequest, call: Call) -> bytes:
        """Takes the last undo back."""
        return await run_command(
            self._engine,
            call,
            request,
            lambda _form, _request: intents.RedoSession(),
            lambda outcome: with_session(pb.RedoSessionResponse(), outcome.session),
        )

    async def fork_session(self, request: pb.ForkSessionRequest, call: Call) -> bytes:
        """Forks a session."""
        return await run_command(
            self._engine,
            call,
            request,
            requests.read_fork_session,
            lambda outcome: with_session(pb.ForkSessionResponse(), outcome.session),
        )

    async def label_session(self, request: pb.LabelSessionRequest, call: Call) -> bytes:
        """Gives a session a label."""
        return await run_command(
            self._engine,
            call,
            request,
            requests.read_label_session,
            lambda outcome: with_session(pb.LabelSessionResponse(), outcome.session),
        )

    async def update_session(self, request: pb.UpdateSessionRequest, call: Call) -> bytes:
        """Changes what a session says of itself."""
        return await run_command(
            self._engine,
            call,
            request,
            requests.read_update_session,
            lambda outcome: with_session(pb.UpdateSessionResponse(), outcome.session),
        )

    async def append_session_events(self, request: pb.AppendSessionEventsRequest, call: Call) -> bytes:
        """Records lines of a terminal."""
        return await run_command(
            self._engine,
            call,
            request,
            lines.read_append_session_events,
            lambda outcome: with_session(
                pb.AppendSessionEventsResponse(events=map(write_event, outcome.events)), outcome.session
            ),
        )

    async def list_session_events(
        self, request: pb.ListSessionEventsRequest, call: Call
    ) -> pb.ListSessionEventsResponse:
        """Lists the events of a session."""
        form = Form()
        page = read_page(form, request, POSITIONS, call.max_send_bytes)
        session = form.name("session", request.session)
        after = requests.read_after_sequence(form, request.after_sequence)
        types = requests.read_event_types(form, request.types)
        form.done()
        after = after if page.after is None else page.after
        found = await self._engine.list_events(session, after, page.wanted, types, call.caller)
        events, token = page.write(found, write_event, lambda _, row: row.sequence)
        return pb.ListSessionEventsResponse(events=events, next_page_token=token)

    async def watch_session(self, request: pb.WatchSessionRequest, call: Call) -> None:
        """Streams the events of a session."""
        form = Form()
        session = form.name("session", request.session)
        after = requests.read_after_sequence(form, request.after_sequence)
        incarnation = form.name("incarnation", request.incarnation, required=False)
        form.done()
        watcher = await self._engine.watch_session(session, after, incarnation, call.caller)
        try:
            await call.open()
            while (news := await watcher.next()) is not None:
                await call.write(encode_news(news))
        finally:
            watcher.close()
