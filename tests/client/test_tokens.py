"""A bearer token goes with every call, is shown nowhere, and is warned about where others may read it."""

import warnings
from pathlib import Path

import pytest
from tests.rpc.identified import run_identified

from sheetgrpc.client import NEVER, InsecureTokenWarning, NotAllowed, connect
from sheetgrpc.client.tokens import is_local

SOURCE = '(cbu.ensure :name "Ana" :jurisdiction "LU")'


@pytest.mark.parametrize(
    ("address", "local"),
    [
        ("127.0.0.1:50051", True),
        ("127.8.8.8:1", True),
        ("localhost:1", True),
        ("LOCALHOST", True),
        ("[::1]:1", True),
        ("ipv4:127.0.0.1:1", True),
        ("dns:///localhost:1", True),
        ("unix:/run/sheetgrpc", True),
        ("10.0.0.1:1", False),
        ("0.0.0.0:1", False),
        ("[2001:db8::1]:1", False),
        ("example.org:1", False),
        ("dns:///example.org:1", False),
        ("localhost.example.org:1", False),
        ("", False),
    ],
)
def test_only_this_machine_is_local(address: str, local: bool) -> None:
    assert is_local(address) is local


async def test_a_token_for_another_machine_is_warned_about() -> None:
    with pytest.warns(InsecureTokenWarning, match=r"to example.org:1 in plain text") as told:
        client = connect("example.org:1", token="secret-token", retry=NEVER)
    await client.close()
    assert "secret-token" not in str(told[0].message)
    with warnings.catch_warnings(action="error"):
        for fields in ({"address": "example.org:1"}, {"address": "127.0.0.1:1", "token": "t"}):
            await connect(**fields).close()


@pytest.mark.parametrize("token", ["two words", "new\nline", "é", "x" * 1001])
def test_what_cannot_be_sent_is_refused_and_not_shown(token: str) -> None:
    with pytest.raises(ValueError, match="printable ASCII") as raised:
        connect("127.0.0.1:1", token=token)
    assert token not in str(raised.value)


@pytest.mark.asyncio(loop_scope="session")
async def test_calls_and_streams_of_a_client_carry_its_token(tmp_path: Path) -> None:
    """D-10, and both ways of an approval through the SDK."""
    async with run_identified(tmp_path, approve="always") as known:
        address = known.running.server.address
        tokens = {name: sent[0][1].removeprefix("Bearer ") for name, sent in known.sent.items()}
        async with connect(address, retry=NEVER) as nobody:
            with pytest.raises(NotAllowed) as refused:
                await nobody.control.server_info()
            assert refused.value.reason == "UNAUTHENTICATED"
        async with connect(address, token=tokens["ana"]) as ana, connect(address, token=tokens["pia"]) as pia:
            session = await ana.sessions.create()
            assert session.now.owner == "ana"
            await session.import_sheet(SOURCE)
            await session.parse_sheet()
            planned = await session.plan()
            with pytest.raises(NotAllowed) as raised:
                await session.execute_sheet(confirm=True, plan_digest=planned.plan_digest).finished()
            assert raised.value.reason == "APPROVAL_REQUIRED"
            asked = await session.request_approval(planned.plan_digest, notes="please")
            assert [one.id async for one in pia.approvals.list(states=["PENDING"])] == [asked.id]
            assert (await pia.approvals.decide(asked.id, "APPROVE")).decisions[0].approver == "pia"
            ended = await session.execute_sheet(confirm=True, approval_id=asked.id).finished()
            assert ended.approval_id == asked.id
            assert (await ana.approvals.get(asked.id)).used_by_execution_id == ended.id
