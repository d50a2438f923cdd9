"""A session's lifecycle: which of its changes there are, how it expires, and what a trimmed log folds to."""

import pytest
from msgspec.structs import replace
from tests.session.situations import CREATE, IMPORT, SITUATIONS, draw, run

from sheetgrpc.errors import NotAllowed, Reason
from sheetgrpc.session.commands import CloseSession, Command, ExpireSession, RenewSession, UpdateSession
from sheetgrpc.session.events import Event, LabelLost, SessionExpired
from sheetgrpc.session.machine import allowed_actions, decide, evolve, fold
from sheetgrpc.session.model import Lifecycle, Session

PENDING, ACTIVE, COMPLETED, FAILED, EXPIRED = Lifecycle
SESSIONS = {
    PENDING: run(CREATE),
    ACTIVE: run(CREATE, IMPORT),
    COMPLETED: SITUATIONS["Co"],
    FAILED: SITUATIONS["Fa"],
    EXPIRED: SITUATIONS["Ex"],
}
TOWARDS: dict[Lifecycle, Command] = {
    ACTIVE: UpdateSession(name="x"),
    COMPLETED: CloseSession(outcome=COMPLETED),
    FAILED: CloseSession(outcome=FAILED),
    EXPIRED: ExpireSession(by="retention"),
}
# PENDING -> COMPLETED and FAILED: CloseSession is legal from PENDING too. Nothing leads to PENDING.
EDGES = {(PENDING, to) for to in TOWARDS} | {(ACTIVE, to) for to in TOWARDS}


@pytest.mark.parametrize("start", Lifecycle)
@pytest.mark.parametrize("to", TOWARDS)
def test_only_the_listed_changes_of_lifecycle_there_are(start: Lifecycle, to: Lifecycle) -> None:
    """D-36, B5: every pair; what has ended never changes."""
    before = SESSIONS[start]
    if (start, to) in EDGES:
        assert evolve(before, *decide(before, TOWARDS[to], draw(9_000))).lifecycle is to
        return
    with pytest.raises(NotAllowed) as refused:
        decide(before, TOWARDS[to], draw(9_000))
    assert refused.value.reason is (Reason.SESSION_EXPIRED if start is EXPIRED else Reason.SESSION_CLOSED)


@pytest.mark.parametrize("start", [PENDING, ACTIVE])
def test_a_session_expires_at_the_time_of_its_event_and_allows_nothing_more(start: Lifecycle) -> None:
    (event,) = decide(SESSIONS[start], ExpireSession(by="lease"), draw(9_000))
    assert event == SessionExpired(at=9_000, by="lease")
    after = evolve(SESSIONS[start], event)
    assert (after.lifecycle, after.ended_at, after.state) == (EXPIRED, 9_000, SESSIONS[start].state)
    assert allowed_actions(after, "") == ()


@pytest.mark.parametrize("situation", ["X", "Xi"])
def test_an_executing_session_does_not_expire(situation: str) -> None:
    with pytest.raises(NotAllowed) as refused:
        decide(SITUATIONS[situation], ExpireSession(by="retention"), draw())
    assert refused.value.reason is Reason.ACTION_NOT_ALLOWED


def test_a_renewal_is_no_event_and_wakes_nobody() -> None:
    """So a session that was only ever renewed is PENDING still."""
    assert decide(SESSIONS[PENDING], RenewSession(), draw()) == ()


def test_the_lease_of_its_creation_is_the_sessions() -> None:
    assert run(replace(CREATE, lease=5_000_000)).lease == 5_000_000
    assert run(CREATE).lease is None


@pytest.mark.parametrize("cut", range(1, 5))
def test_a_trimmed_log_folds_to_what_the_whole_log_does(cut: int) -> None:
    """D-35: the base is what the events before did; labels lost and the end are folded alike."""
    events: list[Event] = []
    session: Session | None = None
    for command in (CREATE, IMPORT, UpdateSession(role="x"), ExpireSession(by="lease")):
        for event in decide(session, command, draw(len(events))):
            events.append(event)
            session = evolve(session, event)
    events.append(LabelLost(at=7, label="allianz", to="another"))
    assert fold(events[cut:], fold(events[:cut])) == fold(events)
