"""The token file: what it may hold, how it is compared, and how it is read again."""

import hashlib
import hmac
import os
from pathlib import Path

import grpc
import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from tests.rpc.identified import bearer, run_identified

from sheetgrpc.config import StartError
from sheetgrpc.server import tokens
from sheetgrpc.server.token_watch import TokenWatch
from sheetgrpc.server.tokens import TokenFileError, make, parse
from sheetgrpc.v1.control_service_pb2 import GetServerInfoRequest

HASH = hashlib.sha256(b"t").hexdigest()
OTHER = hashlib.sha256(b"u").hexdigest()


def test_a_token_is_its_holders_and_of_no_other() -> None:
    """D-10."""
    made = [make(name, roles) for name, roles in (("ana", ()), ("bob", ("operator", "approver")))]
    file = parse("\n".join(["# all", "", *(f"  {line} " for _, line in made)]).encode(), "f")
    found = [file.find(token) for token, _ in made]
    assert [(one.name, one.roles) for one in found if one is not None] == [
        ("ana", frozenset()),
        ("bob", frozenset({"operator", "approver"})),
    ]
    assert file.find(made[0][0] + "x") is None
    assert file.find("") is None
    assert file.find(made[0][1]) is None, "the line of the file is no token"
    assert all(token not in line for token, line in made)


def test_tokens_are_never_the_same() -> None:
    assert len({make("a", ())[0] for _ in range(100)}) == 100


def test_one_name_may_have_several_tokens() -> None:
    """A token is replaced without a gap."""
    file = parse(f"ana - {HASH}\nana approver {OTHER}".encode(), "f")
    assert [found.name for token in ("t", "u") if (found := file.find(token))] == ["ana", "ana"]
    assert file.names("approver") == {"ana"}


def test_every_line_is_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also after the one that fits: how long it takes tells nothing."""
    lines = "\n".join(f"n{at} - {hashlib.sha256(bytes([at])).hexdigest()}" for at in range(5))
    file = parse(lines.encode(), "f")
    counting = _Counting()
    monkeypatch.setattr(tokens, "hmac", counting)
    for token in ("\0", "\4", "none of them"):
        counting.count = 0
        file.find(token)
        assert counting.count == 5


class _Counting:
    """hmac, counted."""

    count = 0

    def compare_digest(self, one: bytes, other: bytes) -> bool:
        self.count += 1
        return hmac.compare_digest(one, other)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "has no token; `sheetgrpc token NAME` makes one"),
        ("# nobody\n", "has no token"),
        ("ana -", "line 1: must be NAME ROLES HASH, has 2 words"),
        (f"\n# x\nana - {HASH} # why", "line 3: must be NAME ROLES HASH, has 5 words"),
        (f"a/b - {HASH}", "line 1: the name must be letters"),
        (f"anonymous - {HASH}", "line 1: the name anonymous is the server's"),
        (f"ana , {HASH}", "line 1: the roles must be lower-case words"),
        (f"ana Operator {HASH}", "line 1: the roles must be lower-case words"),
        (f"ana - {HASH[:-1]}", "line 1: the hash must be the SHA-256 of the token"),
        (f"ana - {HASH}\nbob - {HASH.upper()}", "line 2: the token of line 1 again"),
        (f"ana - {HASH}\n\udcff", "line 2: is not UTF-8"),
    ],
)
def test_a_malformed_file_is_refused_with_its_line(text: str, told: str) -> None:
    with pytest.raises(TokenFileError) as raised:
        parse(text.encode("utf-8", "surrogateescape"), "f")
    assert told in str(raised.value)
    assert HASH not in str(raised.value)


LINES = st.lists(
    st.one_of(
        st.text(max_size=60),
        st.from_regex(r"\A[a-z@.]{1,5} (-|[a-z,]{1,8}) [0-9a-fA-F]{60,66}\Z"),
        st.binary(max_size=40).map(lambda raw: raw.decode("latin-1")),
    ),
    max_size=5,
)


@given(st.one_of(st.binary(max_size=300), LINES.map(lambda lines: "\n".join(lines).encode("utf-8", "replace"))))
def test_no_file_is_more_than_refused(raw: bytes) -> None:
    try:
        found = parse(raw, "f")
    except TokenFileError:
        return
    assert found.holders
    assert all(found.find(holder.digest.hex()) is None for holder in found.holders)


def test_a_file_that_is_too_large_is_refused() -> None:
    with pytest.raises(TokenFileError, match="has more than 1,048,576 bytes"):
        parse(b"#" * (tokens.MAX_FILE_BYTES + 1), "f")


@pytest.mark.parametrize("name", ["", "a b", "ana\n", "x" * 101, "anonymous", "#a"])
def test_no_token_is_made_for_a_name_that_no_file_may_have(name: str) -> None:
    with pytest.raises(ValueError, match=r"name|words"):
        make(name, ())


def test_a_server_does_not_start_with_a_malformed_file(tmp_path: Path) -> None:
    """It names the line: D-10."""
    path = tmp_path / "tokens"
    with pytest.raises(StartError, match="cannot be read: No such file"):
        TokenWatch(str(path))
    path.write_text("ana\n")
    with pytest.raises(StartError, match="line 1: must be NAME ROLES HASH"):
        TokenWatch(str(path))


async def test_a_changed_file_is_read_and_a_broken_one_is_not_taken(tmp_path: Path) -> None:
    path = tmp_path / "tokens"
    path.write_text(f"ana - {HASH}\n")
    watch = TokenWatch(str(path))
    with structlog.testing.capture_logs() as logs:
        await watch.refresh()
        assert logs == []
        path.write_text(f"bob approver {OTHER}\n")
        await watch.refresh()
        assert watch.find("t") is None
        assert (found := watch.find("u")) is not None
        assert (found.name, found.roles) == ("bob", {"approver"})
        for broken in ("nonsense", ""):
            path.write_text(broken)
            await watch.refresh()
            await watch.refresh()
            assert watch.find("u") is not None
        path.unlink()
        await watch.refresh()
        assert watch.find("u") is not None
    told = [(one["event"], one["log_level"]) for one in logs]
    assert told == [("tokens.read", "info"), *[("tokens.kept", "error")] * 3], "each change once, however often looked"
    assert "line 1" in logs[1]["problem"]


async def test_a_file_is_read_again_when_that_is_asked_for(tmp_path: Path) -> None:
    """SIGHUP: also where size and time of the file are as they were."""
    path = tmp_path / "tokens"
    path.write_text(f"ana - {HASH}\n")
    watch = TokenWatch(str(path))
    before = path.stat()
    path.write_text(f"bob - {HASH}\n")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    await watch.refresh()
    assert (found := watch.find("t")) is not None
    assert found.name == "ana"
    await watch.refresh(force=True)
    assert (found := watch.find("t")) is not None
    assert found.name == "bob"


@pytest.mark.asyncio(loop_scope="session")
async def test_a_server_takes_new_tokens_and_drops_no_call(tmp_path: Path) -> None:
    async with run_identified(tmp_path) as known:
        token, line = make("nadia", ())
        assert known.running.server.tokens is not None
        asked = GetServerInfoRequest()
        with pytest.raises(grpc.aio.AioRpcError):
            await known.running.control.GetServerInfo(asked, metadata=bearer(token))
        known.file.write_text(line)
        await known.running.server.tokens.refresh()
        answer = await known.running.control.GetServerInfo(asked, metadata=bearer(token))
        assert answer.server_info.authentication == "tokens"
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await known.running.control.GetServerInfo(asked, metadata=known.sent["ana"])
        assert raised.value.code() is grpc.StatusCode.UNAUTHENTICATED
