"""SIGKILL between claim and commit of a run that was approved, where servers share the database.

Its approval is used with what it commits, or not at all; what is left of it still holds for that very content alone.
tests/faults has the same on SQLite, at every point.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.replicas.cluster import CRATES, HERE, Cluster, Hold, Replica, cluster, ended, held, sheet, state

from sheetgrpc.client import Client, Session, SheetgrpcError, connect
from sheetgrpc.clock import Draws, wall_clock
from sheetgrpc.config import Settings
from sheetgrpc.engine import intents
from sheetgrpc.engine.intents import Envelope
from sheetgrpc.engine.opening import open_engine
from sheetgrpc.errors import NotAllowed, Reason
from sheetgrpc.server.tokens import make
from sheetgrpc.v1.approval_pb2 import Approval

SOURCE = sheet(2, "a") + '(seal.ensure :code "a")'
SEALS = "SELECT pg_advisory_xact_lock(7)"
USED = "SELECT used_by FROM sheetgrpc.approvals WHERE id = $1"
DAY = 86_400_000_000  # microseconds
ROLES = {"ana": ("approver",), "pia": ("approver",)}


@dataclass(frozen=True, slots=True)
class Guarded:
    """Two servers, of which ana is the caller, and another approver's way to the first."""

    servers: Cluster
    pia: Client

    async def asked(self, session: Session) -> Approval:
        """An approval of the session's sheet that nobody has decided."""
        planned = await session.plan()
        return await session.request_approval(planned.plan_digest)


@asynccontextmanager
async def guarded(url: str, folder: Path) -> AsyncIterator[Guarded]:
    made = {name: make(name, roles) for name, roles in ROLES.items()}
    file = folder / "tokens"
    file.write_text("\n".join(line for _, line in made.values()))
    async with (
        cluster(url, folder, 2, token=made["ana"][0], tokens=file, approve="always") as servers,
        connect(servers.addresses, token=made["pia"][0]) as pia,
    ):
        yield Guarded(servers, pia)


async def refusal(session: Session, approval: Approval) -> str:
    """Why a submit with this approval is refused."""
    with pytest.raises(SheetgrpcError) as refused:
        await session.submit_sheet(confirm=True, approval_id=approval.id)
    assert refused.value.reason == "APPROVAL_REQUIRED"
    return refused.value.message


async def parsed(session: Session, source: str) -> Session:
    await session.import_sheet(source)
    await session.parse_sheet()
    return session


async def kill(here: Guarded, session: Session, approval: Approval, hold: Hold) -> tuple[str, Replica]:
    """The execution that was claimed, and did not come to its commit, or not to the end of it; a server that is up."""
    one = await session.submit_sheet(confirm=True, approval_id=approval.id)
    await hold.wanted()
    (name,) = await here.servers.rows("SELECT replica FROM sheetgrpc.executions WHERE id = $1", one.id)
    struck = here.servers.named(name)
    await struck.kill()
    return one.id, here.servers.other(struck)


@pytest.mark.parametrize(("blocker", "ends"), [(CRATES, {"INTERRUPTED"}), (SEALS, {"INTERRUPTED", "SUCCEEDED"})])
async def test_an_approval_is_used_with_what_its_run_commits_or_not_at_all(
    yard: str, tmp_path: Path, blocker: str, ends: set[str]
) -> None:
    """D-10; issue: "An approval for a sheet changed by one byte, expired, used, or one's own is refused, also
    under SIGKILL between claim and commit". Killed while it writes, and while the database commits.
    """
    async with guarded(yard, tmp_path) as here:
        first = here.servers.replicas[0].client
        session = await parsed(await first.sessions.create(), SOURCE)
        approval = await here.asked(session)
        await here.pia.approvals.decide(approval.id, "APPROVE")
        async with held(yard, blocker) as hold:
            one, other = await kill(here, session, approval, hold)
        end = state(await ended(other.client, one))
        assert end in ends
        applied = end == "SUCCEEDED"
        assert await here.servers.rows(USED, approval.id) == [one if applied else ""]
        assert await here.servers.rows("SELECT count(*) FROM lids") == [2 if applied else 0]
        session = await other.client.sessions.get(session.id)
        if not applied:
            await check_what_is_left(here, other.client, session, approval)
        await parsed(session, SOURCE)
        assert "was used already" in await refusal(session, approval)


async def check_what_is_left(here: Guarded, ana: Client, session: Session, approval: Approval) -> None:
    """It is for the very sheet, for its time, once, and by somebody else; then it is used."""
    rows = here.servers.rows
    await parsed(session, SOURCE + " ")
    assert "another sheet" in await refusal(session, approval)
    own = await here.asked(session)
    with pytest.raises(SheetgrpcError) as refused:
        await ana.approvals.decide(own.id, "APPROVE")
    assert refused.value.reason == "PERMISSION_DENIED"
    assert "needs 1 more" in await refusal(session, own)
    await parsed(session, SOURCE)
    await check_it_expires(here.servers.url, session.id, approval)
    again = await session.submit_sheet(confirm=True, approval_id=approval.id)
    assert state(await session.watch(again.id).finished()) == "SUCCEEDED"
    assert await rows(USED, approval.id) == [again.id]
    assert await rows("SELECT count(*) FROM lids") == [2]


async def check_it_expires(url: str, session: str, approval: Approval) -> None:
    """For a server that is asked two days later."""
    later = Draws(now=lambda: wall_clock() + 2 * DAY)
    engine = await open_engine(Settings(database=url, catalog=str(HERE / "yard.yaml")), later)
    try:
        intent = intents.SubmitSheet(confirm=True, approval_id=approval.id)
        with pytest.raises(NotAllowed, match="has expired") as refused:
            await engine.execute(Envelope("ana", "ExecuteSheet", session), intent)
        assert refused.value.reason is Reason.APPROVAL_REQUIRED
    finally:
        await engine.stop()
