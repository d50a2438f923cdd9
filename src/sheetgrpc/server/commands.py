"""What every changing RPC has in common: its envelope, the engine's handler, and what is told beside the answer."""

import hashlib
from collections.abc import Callable
from typing import TypeVar

from google.protobuf.message import Message

from sheetgrpc.engine.aside import aside
from sheetgrpc.engine.engine import Engine
from sheetgrpc.engine.intents import Envelope, Intent
from sheetgrpc.engine.views import Outcome, Reply
from sheetgrpc.server.calls import Call
from sheetgrpc.server.convert.form import Form
from sheetgrpc.server.convert.values import write_rfc3339
from sheetgrpc.session.model import ANONYMOUS
from sheetgrpc.session.tasks import TaskReader

REPLAYED = "sheetgrpc-replayed"
EXPIRES = "sheetgrpc-request-id-expires"

R = TypeVar("R", bound=Message)


async def run_command(
    engine: Engine,
    call: Call,
    request: R,
    read: Callable[[Form, R], Intent],
    write: Callable[[Outcome], Message],
) -> bytes:
    """The answer to a changing call, as bytes: those that a repeat of it gets too."""
    form = Form()
    intent = await aside(call.size, read, form, request)
    envelope = await read_envelope(form, call, request)
    reply = await engine.handle(envelope, intent, lambda outcome: write(outcome).SerializeToString())
    tell_reply(call, reply)
    return reply.body


async def read_envelope(form: Form, call: Call, request: Message, *, target: str = "session") -> Envelope:
    """What a changing request carries beside its intent; with it the form is done, and refused if it must be.

    `target` is the field that says what the request is about. Takes request_id and expected_version out of the request.
    Raises InvalidRequest.
    """
    fields = request.DESCRIPTOR.fields_by_name
    session = form.name(target, getattr(request, target)) if target in fields else ""
    request_id = form.name("request_id", getattr(request, "request_id"), required=False)  # noqa: B009  # untyped
    versioned = "expected_version" in fields and request.HasField("expected_version")
    expected_version = getattr(request, "expected_version") if versioned else None  # noqa: B009  # untyped
    form.done()
    call.request_id = request_id
    return Envelope(
        caller=call.caller,
        method=call.method,
        session=session,
        request_id=request_id,
        fingerprint=await aside(call.size, fingerprint, request) if request_id else b"",
        expected_version=expected_version,
        reader=reader_of(call),
    )


def reader_of(call: Call) -> TaskReader | None:
    """With whose eyes tasks are seen; None where the server does not tell callers apart."""
    return None if call.caller == ANONYMOUS else TaskReader(call.caller, tuple(sorted(call.roles)))


def tell_reply(call: Call, reply: Reply) -> None:
    """Tells in trailers whether the answer was given before, and how long it will be given again."""
    if reply.replayed:
        call.add_trailer(REPLAYED, "true")
    if reply.stored is not None:
        call.add_trailer(EXPIRES, write_rfc3339(reply.stored.expires_at))


def fingerprint(request: Message) -> bytes:
    """SHA-256 of the request's content, as far as this server understands it; takes all else out of the request."""
    request.DiscardUnknownFields()  # a newer client's, which change nothing here; their order would be theirs, too
    request.ClearField("request_id")
    if "expected_version" in request.DESCRIPTOR.fields_by_name:
        request.ClearField("expected_version")
    return hashlib.sha256(request.SerializeToString(deterministic=True)).digest()
