"""How a client comes to its server: one channel, its options, and the services on it."""

import warnings
from typing import Self, cast

import grpc

from sheetgrpc.client.approvals import Approvals
from sheetgrpc.client.calls import Caller
from sheetgrpc.client.catalog import CatalogReader, Control
from sheetgrpc.client.executions import Executions
from sheetgrpc.client.retry import Retry
from sheetgrpc.client.services import Sessions, Sheets
from sheetgrpc.client.stubs import Stubs
from sheetgrpc.client.tasks import Tasks
from sheetgrpc.client.tokens import InsecureTokenWarning, TokenChannel, check_token, is_local

CHANNEL_OPTIONS: tuple[tuple[str, int], ...] = (
    # A dead peer is noticed after 30 s, not after 15 min; stays above the server's shortest ping interval of 10 s.
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.ping_timeout_ms", 10_000),
    ("grpc.http2.max_pings_without_data", 0),
    # Rich errors travel as metadata, of which grpc loses more than 8 KiB at random.
    ("grpc.max_metadata_size", 32_768),
    ("grpc.absolute_max_metadata_size", 65_536),
    # A server that comes back is found within seconds.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 5_000),
    # Sheets are large: the server judges what comes in, and says what goes out.
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", 64 * 1024 * 1024),
)


class Client:
    """A connection and the services behind it. Made by `connect`; closed by leaving `async with`."""

    def __init__(
        self, channel: grpc.aio.Channel, *, retry: Retry, deadline: float, silence: float, token: str = ""
    ) -> None:
        # The cast: stubs use no more of a channel than a TokenChannel has.
        stubs = Stubs(cast("grpc.aio.Channel", TokenChannel(channel, token)) if token else channel)
        caller = Caller(retry=retry, deadline=deadline)
        self.sessions = Sessions(caller, stubs, silence=silence)
        self.sheets = Sheets(caller, stubs)
        self.approvals = Approvals(caller, stubs)
        self.executions = Executions(caller, stubs, silence=silence)
        self.catalog = CatalogReader(caller, stubs)
        self.control = Control(caller, stubs)
        self.tasks = Tasks(caller, stubs)
        self._channel = channel

    async def __aenter__(self) -> Self:
        """The client itself; the connection is made by the first call."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close it."""
        await self.close()

    async def close(self) -> None:
        """Close the connection; calls still open on it end."""
        await self._channel.close()


def connect(
    address: str,
    *,
    credentials: grpc.ChannelCredentials | None = None,
    token: str = "",
    retry: Retry | None = None,
    deadline: float = 60.0,
    silence: float = 45.0,
    options: tuple[tuple[str, int | str], ...] = (),
) -> Client:
    """A client of the server at `address` ("HOST:PORT"); without credentials in plain text.

    Args:
        address: where the server listens, or any target that gRPC can resolve.
        credentials: for TLS.
        token: a bearer token, sent with every call and shown nowhere. Over plain text to another machine it can be read
            on the way: then this warns with InsecureTokenWarning.
        retry: when calls are sent again.
        deadline: seconds for a unary call with all its tries, where the call says nothing else.
        silence: seconds without a message (heartbeats count) after which a stream is opened anew.
        options: channel options, which win over the SDK's own.
    """
    check_token(token)
    merged = [*CHANNEL_OPTIONS, *options]
    if credentials is None:
        if token and not is_local(address):
            text = f"the token is sent to {address} in plain text, where others may read it; use TLS, or a tunnel"
            warnings.warn(text, InsecureTokenWarning, stacklevel=2)
        channel = grpc.aio.insecure_channel(address, options=merged)
    else:
        channel = grpc.aio.secure_channel(address, credentials, options=merged)
    return Client(channel, retry=retry or Retry(), deadline=deadline, silence=silence, token=token)
