"""What makes two requests the same one, over the wire."""

import grpc
import pytest
from tests.rpc.serving import Running, refused

from sheetgrpc.v1 import session_pb2
from sheetgrpc.v1.session_service_pb2 import (
    CreateSessionRequest,
    GetSessionRequest,
    LabelSessionRequest,
    UpdateSessionRequest,
)

pytestmark = pytest.mark.asyncio(loop_scope="session")

CREATE, UPDATE = (f"/sheetgrpc.v1.SessionService/{name}Session" for name in ("Create", "Update"))
UNKNOWN = bytes([0xFA, 0x3E, 0x03]) + b"new"  # field 1007, length-delimited: of a version yet to come


async def sent(server: Running, method: str, request: bytes) -> tuple[bytes, bool]:
    """The answer's bytes, and whether it says that it was given before."""
    call = server.channel.unary_unary(method)(request)
    answer = await call
    return answer, ("sheetgrpc-replayed", "true") in list(await call.trailing_metadata() or ())


async def create(server: Running) -> session_pb2.Session:
    return (await server.sessions.CreateSession(CreateSessionRequest())).session


async def test_fields_that_the_server_does_not_know_are_no_other_content(server: Running) -> None:
    """D-7."""
    request = CreateSessionRequest(name="unknown", request_id="d7-unknown").SerializeToString()
    first, _ = await sent(server, CREATE, request)
    assert await sent(server, CREATE, request + UNKNOWN) == (first, True)
    assert await sent(server, CREATE, UNKNOWN + request) == (first, True)


async def test_fields_unknown_within_a_field_are_no_other_content(server: Running) -> None:
    """D-7."""
    plain = CreateSessionRequest(request_id="d7-within", client=session_pb2.Client(name="c"))
    odd = CreateSessionRequest(request_id="d7-within", client=session_pb2.Client.FromString(b"\x0a\x01c" + UNKNOWN))
    assert plain.SerializeToString() != odd.SerializeToString()
    first, _ = await sent(server, CREATE, odd.SerializeToString())
    assert await sent(server, CREATE, plain.SerializeToString()) == (first, True)


async def test_the_order_of_fields_and_of_maps_is_no_other_content(server: Running) -> None:
    """D-7."""
    session = await create(server)
    head = UpdateSessionRequest(session=session.id, request_id="d7-order").SerializeToString()
    one, two = UpdateSessionRequest(name="n"), UpdateSessionRequest()
    for key in "abc":
        one.metadata[key] = {"x": 1, "y": [key]}
    for key in "cba":
        two.metadata[key] = {"y": [key], "x": 1}
    name = UpdateSessionRequest(name="n").SerializeToString()
    first, _ = await sent(server, UPDATE, head + one.SerializeToString(deterministic=True))
    assert await sent(server, UPDATE, two.SerializeToString() + name + head) == (first, True)


async def test_a_default_that_is_spelt_out_is_no_other_content(server: Running) -> None:
    """D-7."""
    request = CreateSessionRequest(request_id="d7-default").SerializeToString()
    first, _ = await sent(server, CREATE, request)
    name = CreateSessionRequest.DESCRIPTOR.fields_by_name["name"].number
    assert await sent(server, CREATE, request + bytes([name << 3 | 2, 0])) == (first, True)


@pytest.mark.parametrize(
    "more",
    [{"name": "other"}, {"role": "r"}, {"metadata": {"a": 1}}, {"update_mask": {"paths": ["name", "role"]}}],
    ids=lambda more: next(iter(more)),
)
async def test_the_same_id_for_other_content_changes_nothing(server: Running, more: dict[str, object]) -> None:
    """D-7, D-44 ("other body")."""
    session = await create(server)
    request = UpdateSessionRequest(session=session.id, name="n", request_id="d7-other")
    first = await server.sessions.UpdateSession(request)
    refusal = await refused(
        server.sessions.UpdateSession(
            UpdateSessionRequest(**{"session": session.id, "name": "n", "request_id": "d7-other"} | more)
        )
    )
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "REQUEST_ID_REUSED")
    assert (await server.sessions.GetSession(GetSessionRequest(session=session.id))).session == first.session


@pytest.mark.parametrize(
    "request_id", ["a", "x" * 128, "ключ", "鍵" * 128, "🔑", "a b", " "], ids=lambda text: text[:4]
)
async def test_a_request_id_is_any_text_of_one_line(server: Running, request_id: str) -> None:
    """D-46."""
    request = CreateSessionRequest(request_id=request_id).SerializeToString()
    first, replayed = await sent(server, CREATE, request)
    assert not replayed
    assert await sent(server, CREATE, request) == (first, True)


@pytest.mark.parametrize("request_id", ["x" * 129, "x" * 256, "a\nb", "\x00"], ids=["129", "256", "line", "nul"])
async def test_a_request_id_that_is_too_long_or_no_line_is_refused(server: Running, request_id: str) -> None:
    """D-46."""
    refusal = await refused(server.sessions.CreateSession(CreateSessionRequest(request_id=request_id)))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")
    assert refusal.details["BadRequest"].field_violations[0].field == "request_id"


async def test_an_empty_request_id_is_none(server: Running) -> None:
    """D-46."""
    request = CreateSessionRequest(name="none", request_id="").SerializeToString()
    answers = [await sent(server, CREATE, request) for _ in range(2)]
    assert answers[0][0] != answers[1][0]
    assert not any(replayed for _, replayed in answers)


async def test_a_repeat_has_the_first_ones_code_whatever_became_of_the_label(server: Running) -> None:
    """D-45; D-8: ids are used in any order."""
    one, two = await create(server), await create(server)
    first = LabelSessionRequest(session=one.id, label="d45", request_id="5")
    answer = await server.sessions.LabelSession(first)
    await server.sessions.LabelSession(LabelSessionRequest(session=two.id, label="d45", request_id="3"))
    assert await server.sessions.LabelSession(first) == answer
    assert (await server.sessions.GetSession(GetSessionRequest(session="d45"))).session.id == two.id
