"""One command, one transaction: the way of every changing call (DESIGN section 8).

    replay?  prepare  ->  begin  open  (moved? again)  decide  commit  ->  wake

Only a request id that this server has answered before is looked up first: nearly all others are new. One that is not,
as another server has answered it, or this one before it was restarted, meets its reply inside its transaction, or is
refused and then looked up.

What can be done before the writer is taken is done in `prepare`, against reads; inside, only pure decisions and writes.
Where a read is a trip to the database, a command with nothing to prepare reads its session there, too, and only there.
The work runs in a task of its own: a caller that goes away cancels nothing. But where all there is to wait for is the
commit, which nobody can break off, the caller's own task does it: two turns of the loop less.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Protocol, TypeAlias, TypeVar

import msgspec

from sheetgrpc.clock import Draw, Draws, is_ulid
from sheetgrpc.engine.closing import settle_all
from sheetgrpc.engine.expiring import Expiry
from sheetgrpc.engine.intents import Envelope
from sheetgrpc.engine.views import Outcome, Reply
from sheetgrpc.errors import Conflict, InvalidRequest, Reason, SheetError
from sheetgrpc.session.commands import Command
from sheetgrpc.session.details import lose_label
from sheetgrpc.session.events import Event
from sheetgrpc.session.machine import decide, evolve
from sheetgrpc.session.model import Lifecycle, Session
from sheetgrpc.store.base import Store
from sheetgrpc.store.records import Changes, Moved, Opened, RequestKey, Seen, SessionRow, StoredReply

_ATTEMPTS = 3
_ANSWERED = 10_000  # request ids that are known to have been answered, the latest
T = TypeVar("T")
Attempt: TypeAlias = Callable[[RequestKey | None], Coroutine[None, None, Reply]]


class Step(Protocol):
    """One intent on its way: prepared against a session as it was read, finished inside the transaction."""

    label: str
    """The label that the session is given, taken from whoever has it; "" for none."""
    fresh: bool
    """True for a session of its own: the one that the request names, if any, is read and left as it is."""

    additive: bool
    """Whether nothing was prepared from the session: a session that has moved is as good, and nobody need try again."""
    brief: bool
    """Whether nothing is prepared: at most a refusal that is plain already."""

    async def prepare(self, row: SessionRow | None) -> None:
        """Everything that needs reading, parsing or planning. Raises plain refusals."""
        ...

    def command(self, draw: Draw) -> Command:
        """What the machine is asked, given the command's draw."""
        ...

    def following(self, draw: Draw) -> tuple[Command, ...]:
        """What the machine is asked after that, in the same transaction."""
        ...

    def changes(self, session: Session, draw: Draw, changes: Changes) -> None:
        """Adds the rows that go with the session's new state."""
        ...

    def outcome(self, row: SessionRow, changes: Changes) -> Outcome:
        """What the caller is answered, from what prepare has at hand."""
        ...

    def woken(self, changes: Changes) -> None:
        """Called once the commit was tried: what it was to write is there, unless it failed."""
        ...


class Handler:
    """Takes steps through the one way."""

    def __init__(
        self,
        store: Store,
        draws: Draws,
        catalog_digest: str,
        request_id_ttl: int,
        published: Callable[[Changes], None],
        expiry: Expiry,
    ) -> None:
        """`request_id_ttl` in microseconds; `published` is told after each commit."""
        self._store = store
        self._draws = draws
        self._catalog_digest = catalog_digest
        self._ttl = request_id_ttl
        self._published = published
        self._expiry = expiry
        self._tasks: set[asyncio.Task[Any]] = set()
        self._answered: dict[RequestKey, None] = {}
        self._left: tuple[int, SessionRow] | None = None  # by the last commit here: after so many, a session

    async def handle(self, envelope: Envelope, step: Callable[[], Step], encode: Callable[[Outcome], bytes]) -> Reply:
        """The answer to a changing call about a session. The commit is not undone by the caller going away."""
        commits = self._store.commits  # before anything is read
        key = request_key(envelope)
        known = key in self._answered
        first = step()
        attempt: Attempt = lambda key: self._try(envelope, key, commits, first, step, encode)  # noqa: E731
        if first.brief and self._store.idle and not known:
            reply = await self._answer(envelope, key, attempt)
        else:
            reply = await self.once(envelope, attempt, recall=known)
        if key is not None and not known:
            self._answered[key] = None
            if len(self._answered) > _ANSWERED:
                del self._answered[next(iter(self._answered))]
        return reply

    async def once(self, envelope: Envelope, attempt: Attempt, *, recall: bool = True) -> Reply:
        """What `attempt` answers; of a repeat, what was answered before.

        Unless `recall`, that is looked up only once the attempt is refused: it is to meet the reply in its transaction.
        It is given what the reply is to be kept under, and keeps it in its own transaction. It runs to its end whatever
        happens to the caller.
        """
        key = request_key(envelope)
        if recall:
            replayed = await self._recall(key, envelope)
            if replayed is not None:
                return replayed
        return await self.shielded(self._answer(envelope, key, attempt))

    async def find(self, envelope: Envelope, session: str) -> SessionRow | None:
        """The session of this name as the caller may use it, expired if its time has run out; None for no name."""
        row = await self._named(msgspec.structs.replace(envelope, session=session))
        return await self._expiry.settle(row) if row is not None else None

    async def shielded(self, work: Coroutine[None, None, T]) -> T:
        """Runs `work` to its end whatever happens to the caller."""
        answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(_answering(work, answer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return await answer

    async def settle(self) -> None:
        """Waits for every command under way; cancelled, breaks them off."""
        await settle_all(self._tasks)

    async def _answer(self, envelope: Envelope, key: RequestKey | None, attempt: Attempt) -> Reply:
        try:
            return await attempt(key)
        except SheetError:
            # Another sending of this very request may have been accepted before or meanwhile, and be what stands in
            # the way; or this one was, where nothing is known of its commit.
            replayed = await self._recall_if_possible(key, envelope)
            if replayed is None:
                raise
            return replayed

    async def _recall(self, key: RequestKey | None, envelope: Envelope) -> Reply | None:
        """The answer given before; None where there is none."""
        stored = await self._store.reply(key) if key is not None else None
        return replay(stored, envelope) if stored is not None else None

    async def _recall_if_possible(self, key: RequestKey | None, envelope: Envelope) -> Reply | None:
        """The answer given before; a failure to read it says less than the one that it is looked for after."""
        try:
            stored = await self._store.reply(key) if key is not None else None
        except SheetError:
            return None
        return replay(stored, envelope) if stored is not None else None

    async def _try(
        self,
        envelope: Envelope,
        key: RequestKey | None,
        commits: int | None,
        step: Step,
        make: Callable[[], Step],
        encode: Callable[[Outcome], bytes],
    ) -> Reply:
        if self._can_go_unread(envelope, step):
            reply = await self._commit(envelope, key, None, step, encode)
            if reply is not None:
                return reply
        for _ in range(_ATTEMPTS):
            row = self._as_left(envelope) or await self._named(envelope)
            if row is not None and self._expiry.due(row):
                replayed = await self._recall(key, envelope)  # a repeat ends nothing
                if replayed is not None:
                    return replayed
                row = await self._expiry.settle(row)
            _check_version(envelope, row, step)
            await step.prepare(row)
            reply = await self._commit(envelope, key, Seen(commits, row), step, encode)
            if reply is not None:
                return reply
            step = make()
        raise Conflict(Reason.CONFLICT, "the session keeps changing under this command; read it and try again")

    def _can_go_unread(self, envelope: Envelope, step: Step) -> bool:
        """Whether the session is read in its transaction only: where a read is a trip, and says nothing for sure."""
        named = is_ulid(envelope.session) and not envelope.names_execution and not envelope.approval
        return named and step.brief and not step.fresh and self._store.commits is None

    def _as_left(self, envelope: Envelope) -> SessionRow | None:
        """The session as this handler's last commit has left it, where it is meant and nothing was committed since.

        Once: should the command fail, the next one reads what there is.
        """
        if self._left is None or self._left[0] != self._store.commits:
            return None
        row = self._left[1]
        if row.session.id != envelope.session or row.session.owner != envelope.caller:
            return None
        self._left = None
        return row

    async def _named(self, envelope: Envelope) -> SessionRow | None:
        """The session that is meant, though its time may have run out."""
        if envelope.approval:
            approval = await self._store.approval(envelope.approval)
            return await self._store.session(approval.session_id)
        if not envelope.session:
            return None
        named = envelope.session
        if envelope.names_execution:
            named = (await self._store.execution(named, envelope.caller)).session_id
        return await self._store.session(named, envelope.caller)

    async def _commit(
        self,
        envelope: Envelope,
        key: RequestKey | None,
        seen: Seen | None,
        step: Step,
        encode: Callable[[Outcome], bytes],
    ) -> Reply | None:
        """None if the session moved since it was prepared, or its time ran out; or, unseen, is none that is plain."""
        row = seen.row if seen is not None else None
        named = envelope.session if seen is None else None
        # A label that it has already is nobody else's.
        has_label = row is not None and not step.fresh and step.label in row.session.labels
        label = "" if has_label else step.label
        tried: Changes | None = None
        try:
            async with self._store.begin() as transaction:
                opened = await transaction.open(row.session.id if row is not None else named, key, label, seen)
                if opened.reply is not None:
                    return replay(opened.reply, envelope)
                if seen is None:
                    row = opened.row
                    if row is None or row.session.owner != envelope.caller or self._expiry.due(row):
                        return None
                    _check_version(envelope, row, step)
                if row is not None and not self._is_as_read(opened.row, row):
                    if opened.row is None or not step.additive or has_label or self._expiry.due(opened.row):
                        return None
                    _check_version(envelope, opened.row, step)
                    row = opened.row
                changes, after, body = self._change(envelope, key, row, opened, step, encode)
                tried = changes
                await transaction.commit(changes)
                commits = self._store.commits  # nobody else's commit comes in between
                self._left = (commits, after) if commits is not None else None
        finally:
            # Also where the commit fails and may have taken effect all the same: who is woken looks for itself.
            if tried is not None:
                step.woken(tried)
                if transaction.committed:  # though the caller may be gone
                    self._published(tried)
        return Reply(body, changes.reply, replayed=False)

    def _change(
        self,
        envelope: Envelope,
        key: RequestKey | None,
        row: SessionRow | None,
        opened: Opened,
        step: Step,
        encode: Callable[[Outcome], bytes],
    ) -> tuple[Changes, SessionRow, bytes]:
        """What is to be written, the session after that, and the answer."""
        draw = self._draws.draw()
        before = row.session if row is not None and not step.fresh else None
        session, events = self._decide(before, step, draw, envelope.caller)
        changes = Changes(session=session, events=events, active_at=draw.now, created=before is None)
        changes.relabelled = before is None or set(before.labels) != set(session.labels)
        changes.loser = _take_label(opened.holder, session, step.label, draw.now, envelope.caller)
        step.changes(session, draw, changes)
        if changes.execution is not None:
            changes.execution = msgspec.structs.replace(changes.execution, submitted_by=envelope.caller)
        after = row_after(opened.row if before is not None else None, changes, draw.now)
        body = encode(step.outcome(after, changes))
        if key is not None:
            execution = changes.execution.id if changes.execution is not None else ""
            changes.reply = StoredReply(key, envelope.fingerprint, body, session.id, draw.now + self._ttl, execution)
        return changes, after, body

    def _decide(self, before: Session | None, step: Step, draw: Draw, actor: str) -> tuple[Session, tuple[Event, ...]]:
        """The session after the step's commands, and their events."""
        session = before
        events: tuple[Event, ...] = ()
        for command in (step.command(draw), *step.following(draw)):
            decided = decide(session, command, draw, catalog_digest=self._catalog_digest)
            made = tuple(msgspec.structs.replace(event, actor=actor) for event in decided)
            for event in made:
                session = evolve(session, event)
            events = (*events, *made)
        if session is None:
            raise RuntimeError("a command made no event")
        return session, events

    def _is_as_read(self, current: SessionRow | None, row: SessionRow) -> bool:
        return current is not None and current.session.version == row.session.version and not self._expiry.due(current)


async def _answering(work: Coroutine[None, None, T], answer: "asyncio.Future[T]") -> None:
    """Does the work and tells what came of it, unless nobody waits any more."""
    try:
        done = await work
    except BaseException as error:
        if not answer.done():
            answer.set_exception(error)
            answer.exception()  # seen, even if the caller goes away before it wakes
        if not isinstance(error, Exception):
            raise
    else:
        if not answer.done():
            answer.set_result(done)


def row_after(row: SessionRow | None, changes: Changes, now: int) -> SessionRow:
    """The session's row as the changes leave it."""
    after = msgspec.structs.replace(row or SessionRow(changes.session), session=changes.session, active_at=now)
    if changes.symbols is None:
        return after
    return msgspec.structs.replace(after, symbol_count=changes.symbols.count, symbols=changes.symbols.first)


def request_key(envelope: Envelope) -> RequestKey | None:
    """What the reply is kept under; None where the caller gave no request id."""
    if not envelope.request_id:
        return None
    return RequestKey(envelope.caller, envelope.method, envelope.session, envelope.request_id)


def replay(stored: StoredReply, envelope: Envelope) -> Reply:
    """The answer given before. Raises InvalidRequest(REQUEST_ID_REUSED) where the request is another."""
    if stored.fingerprint != envelope.fingerprint:
        message = f'request id "{stored.key.request_id}" was used for another request; choose a new one'
        raise InvalidRequest(Reason.REQUEST_ID_REUSED, message, metadata={"requestId": stored.key.request_id})
    return Reply(stored.reply, stored, replayed=True)


def _take_label(holder: SessionRow | None, session: Session, label: str, at: int, by: str) -> Moved | None:
    """Whoever has the label, without it; None if that is nobody else."""
    if holder is None or holder.session.id == session.id:
        return None
    event = msgspec.structs.replace(lose_label(holder.session, label, session.id, at), actor=by)
    return Moved(evolve(holder.session, event), (event,))


def _check_version(envelope: Envelope, row: SessionRow | None, step: Step) -> None:
    if row is None or envelope.expected_version is None:
        return
    if row.session.lifecycle is Lifecycle.EXPIRED and not step.fresh:
        return  # what has expired is refused as that, though its end has just moved the version
    actual = row.session.version
    if envelope.expected_version != actual:
        raise Conflict(
            Reason.VERSION_CONFLICT,
            f"the session is at version {actual}, not {envelope.expected_version}; read it again",
            metadata={"expectedVersion": str(envelope.expected_version), "actualVersion": str(actual)},
        )
