"""Pages of lists: where a page starts, how long it is, and the token that goes on after it.

A token is opaque and versioned: the last item's key, and a digest of the query it belongs to. Knows messages only as
things that have a size.
"""

import base64
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Generic, TypeAlias, TypeVar, cast

import msgspec
from google.protobuf.message import Message
from msgspec import Meta

from sheetgrpc.config import PAGE_DEFAULT, PAGE_LIMIT
from sheetgrpc.errors import limit_exceeded
from sheetgrpc.server.convert.fitting import fit
from sheetgrpc.server.convert.form import Form
from sheetgrpc.v1 import catalog_service_pb2, execution_service_pb2, session_service_pb2, sheet_service_pb2

PageRequest: TypeAlias = (
    session_service_pb2.ListSessionsRequest
    | session_service_pb2.ListSessionEventsRequest
    | sheet_service_pb2.ListStatementsRequest
    | sheet_service_pb2.ListPhasesRequest
    | sheet_service_pb2.ListDiagnosticsRequest
    | sheet_service_pb2.ListReferencesRequest
    | sheet_service_pb2.ListSymbolsRequest
    | execution_service_pb2.ListExecutionsRequest
    | execution_service_pb2.ListReceiptsRequest
    | execution_service_pb2.ListStatementResultsRequest
    | catalog_service_pb2.ListVerbsRequest
)
K = TypeVar("K")
V = TypeVar("V")
M = TypeVar("M", bound=Message)

_VERSION = 1
_DIGEST_BYTES = 8
_MAX_TOKEN = 128 * 1024
RESERVED_BYTES = 64 * 1024
"""Of an answer, for all that is not the list."""


class Tokens(Generic[K]):
    """Writes and reads the tokens of one kind of key."""

    def __init__(self, kind: object) -> None:
        """`kind` is the key's type with what a forged token may hold at most: what the store takes without a fault."""
        self._decoder = msgspec.msgpack.Decoder(tuple[int, bytes, kind])  # type: ignore[valid-type]  # made at run time

    def write(self, query: bytes, key: K) -> str:
        """The token that goes on after a key."""
        return base64.urlsafe_b64encode(msgspec.msgpack.encode((_VERSION, query, key))).decode().rstrip("=")

    def read(self, form: Form, token: str, query: bytes) -> K | None:
        """The key of a token of this query; any other text is refused."""
        try:
            raw = base64.b64decode(token[:_MAX_TOKEN] + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
            version, of_query, key = self._decoder.decode(raw)
        except (ValueError, msgspec.DecodeError):
            form.refuse("page_token", "is no token of this server")
            return None
        if (version, of_query) != (_VERSION, query):
            form.refuse("page_token", "belongs to another query; ask for its first page")
            return None
        return cast("K", key)  # what the decoder was made for


POSITIONS: Tokens[int] = Tokens(Annotated[int, Meta(ge=-1, le=2**31 - 1)])
NAMES: Tokens[str] = Tokens(Annotated[str, Meta(max_length=65_536)])
MOMENTS: Tokens[tuple[int, str]] = Tokens(
    tuple[Annotated[int, Meta(ge=0, le=2**62)], Annotated[str, Meta(max_length=128)]]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[K]):
    """A page as it was asked for: `after` is the key to go on after, None on the first."""

    size: int
    after: K | None
    query: bytes
    tokens: Tokens[K]
    max_bytes: int

    @property
    def wanted(self) -> int:
        """How many items to read: one more than are told, so that the last page is known."""
        return self.size + 1

    def write(self, found: Sequence[V], write: Callable[[V], M], key: Callable[[int, V], K]) -> tuple[list[M], str]:
        """The messages of the page, and the token of the next, empty on the last.

        `key(n, item)` is where to go on after the item, the n-th of the page from 0. Raises LimitExceeded for an item
        that alone is too large to be sent.
        """
        budget = self.max_bytes - RESERVED_BYTES
        messages = list(fit(map(write, found[: self.size]), budget))
        if len(messages) == len(found):
            return messages, ""
        if not messages:
            raise limit_exceeded("bytes of one item", limit=budget, actual=write(found[0]).ByteSize())
        last = len(messages) - 1
        return messages, self.tokens.write(self.query, key(last, found[last]))


def read_page(form: Form, request: PageRequest, tokens: Tokens[K], max_bytes: int) -> Page[K]:
    """The page that a List request asks for. What is wrong with it is noted on the form."""
    query = _digest(request)
    return Page(
        size=form.count("page_size", request.page_size, default=PAGE_DEFAULT, limit=PAGE_LIMIT),
        after=tokens.read(form, request.page_token, query) if request.page_token else None,
        query=query,
        tokens=tokens,
        max_bytes=max_bytes,
    )


def _digest(request: PageRequest) -> bytes:
    """What two requests have in common that ask for pages of one list."""
    query: Message = type(request)()
    query.MergeFrom(request)
    query.ClearField("page_size")
    query.ClearField("page_token")
    text = query.DESCRIPTOR.full_name.encode() + b"\0" + query.SerializeToString(deterministic=True)
    return hashlib.sha256(text).digest()[:_DIGEST_BYTES]
