"""What a session says of itself: labels, name, role, task, metadata, and the client that made it.

No layers, so no state allows or forbids a change. Pure, like machine.py, whose rows let these commands through.
"""

from typing import Any

import msgspec

from sheetgrpc.errors import limit_exceeded
from sheetgrpc.session.commands import UpdateSession
from sheetgrpc.session.events import LabelGiven, LabelLost, SessionUpdated
from sheetgrpc.session.model import MAX_LABELS, MAX_METADATA_BYTES, Client, Session


def label_session(session: Session, label: str, at: int) -> LabelGiven:
    """The label given; LimitExceeded where the session has as many as it may."""
    count = len({*session.labels, label})
    if count > MAX_LABELS:
        raise limit_exceeded("labels of a session", limit=MAX_LABELS, actual=count)
    return LabelGiven(at=at, label=label)


def lose_label(session: Session, label: str, to: str, at: int) -> LabelLost:
    """What happens to whoever has the label when `to` is given it; nobody can refuse that, not even if it has ended.

    ValueError if the session does not have it.
    """
    if label not in session.labels:
        raise ValueError(f'session "{session.id}" does not have the label "{label}"')
    return LabelLost(at=at, label=label, to=to)


def update_session(session: Session, command: UpdateSession, at: int) -> SessionUpdated:
    """The fields that were given, as they are now; LimitExceeded where the metadata would be too much."""
    metadata = None if command.metadata is None else merge(session.metadata, command.metadata)
    if metadata is not None and (size := len(msgspec.json.encode(metadata))) > MAX_METADATA_BYTES:
        raise limit_exceeded("bytes of metadata", limit=MAX_METADATA_BYTES, actual=size)
    return SessionUpdated(at=at, name=command.name, role=command.role, task_id=command.task_id, metadata=metadata)


def merge(target: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:  # Any: JSON values
    """The target after a JSON merge patch (RFC 7396)."""
    merged = dict(target)
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, dict):
            old = merged.get(key)
            merged[key] = merge(old if isinstance(old, dict) else {}, value)
        else:
            merged[key] = value
    return merged


def find_drift(recorded: Client, now: Client) -> tuple[str, ...]:
    """What a caller that goes on with a session should know, a line each: it is not what its creator was.

    What it does not tell of itself is not compared; what was not recorded cannot be, and is told in one line.
    """
    told = {"target": (recorded.target, now.target), "version": (recorded.version, now.version)}
    lines = [
        f'the client\'s {what} is "{new}"; it was "{old}" when the session was created'
        for what, (old, new) in told.items()
        if old and new and old != new
    ]
    unknown = [what for what, (old, new) in told.items() if new and not old]
    if unknown:
        told_none = " and no ".join(unknown)
        lines.append(f"the session was created by a client that told no {told_none}; what has changed is unknown")
    return tuple(lines)
