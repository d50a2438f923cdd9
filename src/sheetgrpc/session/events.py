"""What happened to a session: one frozen struct an event, and how they are written down.

The log outlives every version of this program. So a struct is never renamed, a field never removed or retyped; what is
new comes as a field with a default, and tests/session/events_v1.jsonl keeps one line of each as first written. An
event states its outcome (the state a parse led to), so that a changed rule never changes what an old log means.
"""

from typing import Any, Literal, TypeAlias, get_args

import msgspec

from sheetgrpc.session.model import Client, ExecutionState, Layers, Lifecycle, Mode, Scope, Sheet, State


class _Event(msgspec.Struct, frozen=True, kw_only=True, tag=True, tag_field="type"):
    """`at` is when it happened, in microseconds since 1970 UTC."""

    at: int


class SessionCreated(_Event, frozen=True, kw_only=True):
    """The first event of a log, and only that."""

    id: str
    name: str = ""
    client: Client = Client()
    role: str = ""
    task_id: str = ""
    metadata: dict[str, Any] = {}  # JSON values; msgspec copies the default
    labels: tuple[str, ...] = ()
    lease: int | None = None  # microseconds


class SessionForked(_Event, frozen=True, kw_only=True):
    """The first event of the log of a session that began with what another had at a sequence of its own log.

    `layers` are the new session's: scope and sheet are copies, with ids of their own.
    """

    id: str
    parent_id: str
    parent_sequence: int
    name: str = ""
    client: Client = Client()
    role: str = ""
    task_id: str = ""
    metadata: dict[str, Any] = {}  # JSON values; msgspec copies the default
    layers: Layers = Layers()
    committed: tuple[str, ...] = ()  # executions of the parent and its parents


class ScopeSet(_Event, frozen=True, kw_only=True):
    """The layers above the scope went with it."""

    scope: Scope


class ScopeCleared(_Event, frozen=True, kw_only=True):
    """The scope and every layer above it went."""


class TemplateSet(_Event, frozen=True, kw_only=True):
    """A template, not yet confirmed, took the place of intent, sheet and execution."""

    source: str
    target_entity_type: str


class IntentConfirmed(_Event, frozen=True, kw_only=True):
    """The template was confirmed."""


class SheetGenerated(_Event, frozen=True, kw_only=True):
    """Template and scope became a sheet."""

    sheet: Sheet


class SheetImported(_Event, frozen=True, kw_only=True):
    """A sheet came as text; the template went, the scope stayed."""

    sheet: Sheet


class SheetParsed(_Event, frozen=True, kw_only=True):
    """An analysis of the current sheet led to `state`; `error_count` has the syntax errors in it."""

    sheet_id: str
    state: State
    statement_count: int
    phase_count: int
    syntax_error_count: int
    error_count: int
    warning_count: int
    unresolved_count: int
    catalog_digest: str


class ReferenceResolved(_Event, frozen=True, kw_only=True):
    """A reference was bound, with `unresolved_count` left; `phase_count` of None: the phases are as before."""

    ref_id: str
    entity_id: str
    state: State
    unresolved_count: int
    apply_to_same_text: bool = False
    phase_count: int | None = None


class SheetSubmitted(_Event, frozen=True, kw_only=True):
    """An execution of the current sheet was queued."""

    execution_id: str
    sheet_id: str
    mode: Mode


class SheetPlanned(_Event, frozen=True, kw_only=True):
    """A dry run of the current sheet was queued; how it ends is no event."""

    execution_id: str
    sheet_id: str


class ExecutionFinished(_Event, frozen=True, kw_only=True):
    """The running execution ended and led to `to`; `completed` of `total` statements succeeded."""

    execution_id: str
    state: ExecutionState
    completed: int
    total: int
    to: State = State.EXECUTED


class SessionReset(_Event, frozen=True, kw_only=True):
    """The layers went back to the scope alone (SCOPED) or to nothing (EMPTY)."""

    to: State


class SessionUndone(_Event, frozen=True, kw_only=True):
    """The layers are those of `sequence` again, as far as catalog and tables still bear them out: `layers`."""

    sequence: int
    layers: Layers


class SessionRedone(_Event, frozen=True, kw_only=True):
    """An undo was taken back: the layers are those of `sequence` again, told as in SessionUndone."""

    sequence: int
    layers: Layers


class SessionClosed(_Event, frozen=True, kw_only=True):
    """The session ended as `outcome`."""

    outcome: Lifecycle


class SessionExpired(_Event, frozen=True, kw_only=True):
    """Nothing happened for too long: the session's own lease ran out, or the time that any session is kept."""

    by: Literal["lease", "retention"]


class LabelGiven(_Event, frozen=True, kw_only=True):
    """The session was given this label, or given it again."""

    label: str


class LabelLost(_Event, frozen=True, kw_only=True):
    """The label went to the session `to`. No command of this session did it: it may have ended long before."""

    label: str
    to: str


class SessionUpdated(_Event, frozen=True, kw_only=True):
    """What the session says of itself changed; None: this did not. `metadata` is all of it as it is now."""

    name: str | None = None
    role: str | None = None
    task_id: str | None = None
    metadata: dict[str, Any] | None = None  # JSON values


class _Line(_Event, frozen=True, kw_only=True):
    """A terminal showed `text`; `data` is what the program that recorded it put beside it."""

    text: str
    data: dict[str, Any] = {}  # JSON values; msgspec copies the default


class PromptLine(_Line, frozen=True, kw_only=True, tag="Prompt"):
    """Input was waited for."""


class SystemLine(_Line, frozen=True, kw_only=True, tag="System"):
    """The program said something."""


class CommandLine(_Line, frozen=True, kw_only=True, tag="Command"):
    """A command was typed, or answered."""


class WarnLine(_Line, frozen=True, kw_only=True, tag="Warn"):
    """The program warned."""


class AlertLine(_Line, frozen=True, kw_only=True, tag="Alert"):
    """The program reported an error or gave an alarm."""


Line: TypeAlias = PromptLine | SystemLine | CommandLine | WarnLine | AlertLine
Event: TypeAlias = (
    SessionCreated
    | SessionForked
    | ScopeSet
    | ScopeCleared
    | TemplateSet
    | IntentConfirmed
    | SheetGenerated
    | SheetImported
    | SheetParsed
    | ReferenceResolved
    | SheetSubmitted
    | SheetPlanned
    | ExecutionFinished
    | SessionReset
    | SessionUndone
    | SessionRedone
    | SessionClosed
    | SessionExpired
    | LabelGiven
    | LabelLost
    | SessionUpdated
    | PromptLine
    | SystemLine
    | CommandLine
    | WarnLine
    | AlertLine
)

LAYERED = (
    ScopeSet,
    ScopeCleared,
    TemplateSet,
    IntentConfirmed,
    SheetGenerated,
    SheetImported,
    SheetParsed,
    ReferenceResolved,
    SheetSubmitted,
    SessionReset,
)
"""The events that UndoSession undoes."""
ENDINGS = (SessionClosed, SessionExpired)
"""The events after which a session is terminal."""
TYPES = frozenset(str(kind.__struct_config__.tag) for kind in get_args(Event))
"""Every `event_type`."""

_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[Event] = msgspec.json.Decoder(Event)


def encode(event: Event) -> bytes:
    """The event as one JSON object; its kind is the field `type`."""
    return _encoder.encode(event)


def decode(data: bytes | str) -> Event:
    """The event that `encode` wrote, by this or any earlier version; msgspec.DecodeError if it is no event."""
    return _decoder.decode(data)


def event_type(event: Event) -> str:
    """The kind of event as the log and the wire name it, such as "ScopeSet"."""
    return str(event.__struct_config__.tag)
