"""The end of a session's log, as far back as one answer can hold. Read in steps, so that no more is in memory."""

from sheetgrpc.engine.engine import Engine
from sheetgrpc.server.convert.events import write_event
from sheetgrpc.server.convert.fitting import fit
from sheetgrpc.session.model import Session
from sheetgrpc.v1.session_service_pb2 import SessionEvent

_STEP = 100  # events


async def read_recent(engine: Engine, session: Session, count: int, budget: int) -> list[SessionEvent]:
    """The last `count` events up to the session's version, oldest first; fewer where `budget` bytes hold fewer."""
    found: list[SessionEvent] = []
    end = session.version
    while end > 0 and len(found) < count:
        size = min(_STEP, count - len(found), end)
        rows = await engine.list_events(session.id, end - size, size, ())
        newest_first = (write_event(row) for row in reversed(rows) if row.sequence <= end)
        fitting = list(fit(newest_first, budget))
        found += fitting
        if len(fitting) < size:  # no room for more, or no more is kept
            break
        budget -= sum(event.ByteSize() for event in fitting)
        end -= size
    return found[::-1]
