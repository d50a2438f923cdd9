"""What the service must do with sessions, written once more and as simply as it can be said.

Dictionaries and lists in memory, no event folded, no table of the machine read: where this and the real handler differ,
one of the two is wrong. It knows which of a handful of sheets parses to what, and nothing else of the language.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from sheetgrpc.errors import Reason
from sheetgrpc.session.model import Lifecycle, State

DEPTH = 50
IDLE = set(State) - {State.EXECUTING}
SHEETED = {State.GENERATED, State.PARSED, State.RESOLVING, State.READY, State.EXECUTED}
SCOPED_ON = {State.SCOPED, State.TEMPLATED} | SHEETED

# Kind of sheet -> (where ParseSheet takes it, whether its run succeeds).
PARSES_TO = {
    "sound": State.READY,
    "failing": State.READY,
    "generated": State.READY,
    "open": State.RESOLVING,
    "wrong": State.PARSED,
    "torn": State.GENERATED,
}


@dataclass(frozen=True)
class Layers:
    """What an undo restores."""

    state: State = State.EMPTY
    scope: bool = False
    template: str = ""  # "", "unconfirmed", "confirmed"
    sheet: str = ""  # its kind
    spent: bool = False
    chosen: bool = False  # the open reference of an "open" sheet


@dataclass
class Model:
    """One session."""

    id: str
    active_at: int
    name: str = ""
    layers: Layers = Layers()
    lifecycle: Lifecycle = Lifecycle.PENDING
    events: list[str] = field(default_factory=lambda: ["SessionCreated"])
    labels: list[str] = field(default_factory=list)
    parent: str = ""
    lease: int | None = None
    ended_at: int | None = None
    undo: list[Layers] = field(default_factory=list)
    redo: list[Layers] = field(default_factory=list)
    history: list[Layers] = field(default_factory=lambda: [Layers()])  # after each event

    @property
    def version(self) -> int:
        return len(self.events)

    @property
    def terminal(self) -> bool:
        return self.lifecycle not in (Lifecycle.PENDING, Lifecycle.ACTIVE)


class Refused(Exception):
    """The command is refused for this reason, and nothing has changed."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Ask:
    """A command: its method, the session as it is named, what it says, its request id and version if any."""

    method: str
    target: str = ""
    argument: str = ""
    request_id: str = ""
    expected_version: int | None = None


@dataclass
class Stored:
    """An answer that is kept."""

    ask: Ask
    answer: str
    expires_at: int


class Reference:
    """All sessions."""

    def __init__(self, *, retention: int, ttl: int) -> None:
        """Both in microseconds."""
        self.sessions: dict[str, Model] = {}
        self.replies: dict[tuple[str, str, str], Stored] = {}
        self.retention = retention
        self.ttl = ttl
        self.since = 0  # since when the server runs and the clock has not jumped

    def find(self, ref: str) -> Model:
        """By id or label; the tests have no prefixes."""
        if ref in self.sessions:
            return self.sessions[ref]
        for model in self.sessions.values():
            if ref in model.labels:
                return model
        raise Refused(Reason.SESSION_NOT_FOUND)

    def handle(self, ask: Ask, now: int, fresh_id: str) -> tuple[str, bool]:
        """The answer and whether it was given before; Refused. `fresh_id` is of a session that this may make."""
        key = (ask.method, ask.target, ask.request_id)
        kept = self.replies.get(key) if ask.request_id else None
        if kept is not None and kept.expires_at > now:
            if kept.ask.argument != ask.argument:
                raise Refused(Reason.REQUEST_ID_REUSED)
            return kept.answer, True
        model = self._apply(ask, now, fresh_id)
        answer = f"{model.id} {model.layers.state} {model.version}"
        if ask.request_id:
            self.replies[key] = Stored(ask, answer, now + self.ttl)
        return answer, False

    def expire(self, model: Model, now: int) -> None:
        """Ends it if its time is over."""
        if model.terminal or model.layers.state is State.EXECUTING:
            return
        if model.lease is not None:
            due = max(model.active_at, self.since) + model.lease
        else:
            due = model.active_at + self.retention
        if now >= due:
            model.events.append("SessionExpired")
            model.history.append(model.layers)
            model.lifecycle = Lifecycle.EXPIRED
            model.ended_at = model.active_at = now

    def sweep(self, now: int) -> None:
        """Expires and purges what is due. A session that was forked goes after its forks."""
        for model in self.sessions.values():
            self.expire(model, now)
        forked = {model.parent for model in self.sessions.values()}
        for model in list(self.sessions.values()):
            if model.ended_at is not None and now >= model.ended_at + self.retention and model.id not in forked:
                del self.sessions[model.id]

    def close_all(self, now: int) -> None:
        """A restore ends whatever was open."""
        for model in self.sessions.values():
            if not model.terminal:
                write(model, "SessionClosed", model.layers)
                model.lifecycle, model.ended_at = Lifecycle.FAILED, now

    def _apply(self, ask: Ask, now: int, fresh_id: str) -> Model:
        if ask.method == "CreateSession":
            return self._create(ask, now, fresh_id)
        model = self.find(ask.target)
        self.expire(model, now)
        refused_anyway = model.lifecycle is Lifecycle.EXPIRED and ask.method != "ForkSession"
        if ask.expected_version not in (None, model.version) and not refused_anyway:
            raise Refused(Reason.VERSION_CONFLICT)
        if ask.method == "ForkSession":
            return self._fork(model, ask, now, fresh_id)
        if model.terminal:
            expired = model.lifecycle is Lifecycle.EXPIRED
            raise Refused(Reason.SESSION_EXPIRED if expired else Reason.SESSION_CLOSED)
        LAYERED.get(ask.method, _beside)(self, model, ask, now)
        model.active_at = now
        return model

    def _create(self, ask: Ask, now: int, fresh_id: str) -> Model:
        label, _, lease = ask.argument.partition("|")
        if label and any(label in model.labels for model in self.sessions.values()):
            raise Refused(Reason.LABEL_TAKEN)
        model = Model(fresh_id, now, labels=[label] if label else [], lease=int(lease) if lease else None)
        self.sessions[fresh_id] = model
        return model

    def _fork(self, parent: Model, ask: Ask, now: int, fresh_id: str) -> Model:
        at = int(ask.argument) or parent.version
        if at > parent.version:
            raise Refused(Reason.INVALID_FIELD)
        layers = parent.history[at - 1]
        if layers.state in (State.EXECUTING, State.EXECUTED) and not layers.spent:
            layers = replace(layers, state=State.READY)
        model = Model(fresh_id, now, parent.name, layers, parent=parent.id, events=["SessionForked"], history=[layers])
        self.sessions[fresh_id] = model
        return model


def write(model: Model, event: str, layers: Layers) -> None:
    """One event, after which the layers are these."""
    model.events.append(event)
    if model.lifecycle is Lifecycle.PENDING:
        model.lifecycle = Lifecycle.ACTIVE
    model.layers = layers
    model.history.append(layers)


def move(model: Model, event: str, layers: Layers) -> None:
    """One event that an undo takes back."""
    model.undo = [*model.undo, model.layers][-DEPTH:]
    model.redo = []
    write(model, event, layers)


def _need(holds: bool, reason: Reason = Reason.ACTION_NOT_ALLOWED) -> None:
    if not holds:
        raise Refused(reason)


def _beside(reference: Reference, model: Model, ask: Ask, now: int) -> None:
    """What changes no layer."""
    match ask.method:
        case "LabelSession":
            for other in reference.sessions.values():
                if other is not model and ask.argument in other.labels:
                    other.labels.remove(ask.argument)
                    other.events.append("LabelLost")
                    other.history.append(other.layers)
            model.labels = [label for label in model.labels if label != ask.argument] + [ask.argument]
            write(model, "LabelGiven", model.layers)
        case "UpdateSession":
            model.name = ask.argument
            write(model, "SessionUpdated", model.layers)
        case "AppendSessionEvents":
            for kind in ask.argument.split(","):
                write(model, kind, model.layers)
        case "CloseSession":
            _need(model.layers.state in IDLE)
            write(model, "SessionClosed", model.layers)
            model.lifecycle = Lifecycle(ask.argument)
            model.ended_at = now
        case "RenewSession":
            pass
        case method:
            raise AssertionError(method)


def _set_scope(_: Reference, model: Model, ask: Ask, now: int) -> None:
    _need(model.layers.state in IDLE)
    move(model, "ScopeSet", Layers(State.SCOPED, scope=True))


def _clear_scope(_: Reference, model: Model, ask: Ask, now: int) -> None:
    _need(model.layers.state in SCOPED_ON)
    move(model, "ScopeCleared", Layers())


def _set_template(_: Reference, model: Model, ask: Ask, now: int) -> None:
    _need(model.layers.state in SCOPED_ON and model.layers.scope)
    move(model, "TemplateSet", Layers(State.TEMPLATED, scope=True, template="unconfirmed"))


def _confirm(_: Reference, model: Model, ask: Ask, now: int) -> None:
    _need(model.layers.state is State.TEMPLATED and model.layers.template == "unconfirmed")
    move(model, "IntentConfirmed", replace(model.layers, template="confirmed"))


def _generate(_: Reference, model: Model, ask: Ask, now: int) -> None:
    _need(model.layers.state is State.TEMPLATED and model.layers.template == "confirmed")
    move(model, "SheetGenerated", replace(model.layers, state=State.GENERATED, sheet="generated"))


def _import(_: Reference, model: Model, ask: Ask, now: int) -> None:
    _need(model.layers.state in IDLE)
    move(model, "SheetImported", Layers(State.GENERATED, scope=model.layers.scope, sheet=ask.argument))


def _parse(_: Reference, model: Model, ask: Ask, now: int) -> None:
    _need(not model.layers.spent, Reason.SHEET_ALREADY_APPLIED)
    _need(model.layers.state in SHEETED)
    to = PARSES_TO[model.layers.sheet]
    if to is State.RESOLVING and model.layers.chosen:
        to = State.READY  # the choice is kept
    move(model, "SheetParsed", replace(model.layers, state=to))


def _resolve(_: Reference, model: Model, ask: Ask, now: int) -> None:
    _need(model.layers.state in (State.RESOLVING, State.READY))
    _need(model.layers.sheet == "open" and ask.argument == "0:flag", Reason.REFERENCE_NOT_FOUND)
    move(model, "ReferenceResolved", replace(model.layers, state=State.READY, chosen=True))


def _run(_: Reference, model: Model, ask: Ask, now: int) -> None:
    """SubmitSheet, and the end of the run that it queues."""
    _need(not model.layers.spent, Reason.SHEET_ALREADY_APPLIED)
    _need(model.layers.state is State.READY)
    move(model, "SheetSubmitted", replace(model.layers, state=State.EXECUTING))


def finish(model: Model, now: int) -> None:
    """The run ends."""
    spent = model.layers.sheet != "failing"
    write(model, "ExecutionFinished", replace(model.layers, state=State.EXECUTED, spent=spent))
    model.active_at = now
    if spent:
        model.undo, model.redo = [], []


def _reset(_: Reference, model: Model, ask: Ask, now: int) -> None:
    _need(model.layers.state in IDLE)
    if ask.argument == State.SCOPED:
        _need(model.layers.scope)
        move(model, "SessionReset", Layers(State.SCOPED, scope=True))
    else:
        move(model, "SessionReset", Layers())


def _undo(_: Reference, model: Model, ask: Ask, now: int) -> None:
    _need(model.layers.state in IDLE and bool(model.undo))
    layers = model.undo.pop()
    model.redo.append(model.layers)
    write(model, "SessionUndone", layers)


def _redo(_: Reference, model: Model, ask: Ask, now: int) -> None:
    _need(model.layers.state in IDLE and bool(model.redo))
    layers = model.redo.pop()
    model.undo = [*model.undo, model.layers][-DEPTH:]
    write(model, "SessionRedone", layers)


LAYERED: dict[str, Callable[[Reference, Model, Ask, int], None]] = {
    "SetScope": _set_scope,
    "ClearScope": _clear_scope,
    "SetTemplate": _set_template,
    "ConfirmIntent": _confirm,
    "GenerateSheet": _generate,
    "ImportSheet": _import,
    "ParseSheet": _parse,
    "ResolveReference": _resolve,
    "SubmitSheet": _run,
    "ResetSession": _reset,
    "UndoSession": _undo,
    "RedoSession": _redo,
}
