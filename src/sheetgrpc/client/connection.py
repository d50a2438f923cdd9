"""How a client comes to its server, or to several that share a database: a channel, its options, the services on it."""

import ipaddress
import json
import socket
import warnings
from collections.abc import Sequence
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


# Each call goes to the next of several servers that says it is serving; one that drains gets no more.
_ROUND_ROBIN = json.dumps({"loadBalancingConfig": [{"round_robin": {}}], "healthCheckConfig": {"serviceName": ""}})


def connect(
    address: str | Sequence[str],
    *,
    credentials: grpc.ChannelCredentials | None = None,
    token: str = "",
    retry: Retry | None = None,
    deadline: float = 60.0,
    silence: float = 45.0,
    options: tuple[tuple[str, int | str], ...] = (),
) -> Client:
    """A client of the server at `address` ("HOST:PORT"); without credentials in plain text.

    With several addresses, of servers that share a database, calls go round all that serve, and a call or stream that
    one of them breaks off is tried at the next.

    Args:
        address: where the server listens, or any target that gRPC can resolve, such as "dns:///sheetgrpc:50051" for
            a name that stands for several servers; or a list of addresses. Names in a list are resolved once.
        credentials: for TLS.
        token: a bearer token, sent with every call and shown nowhere. Over plain text to another machine it can be read
            on the way: then this warns with InsecureTokenWarning.
        retry: when calls are sent again.
        deadline: seconds for a unary call with all its tries, where the call says nothing else.
        silence: seconds without a message (heartbeats count) after which a stream is opened anew.
        options: channel options, which win over the SDK's own.
    """
    check_token(token)
    target = address if isinstance(address, str) else _join(address)
    several = "//" in target or "," in target
    merged = [*CHANNEL_OPTIONS, *([("grpc.service_config", _ROUND_ROBIN)] if several else []), *options]
    if credentials is None:
        addresses = [address] if isinstance(address, str) else address
        if token and not all(map(is_local, addresses)):
            text = f"the token is sent to {target} in plain text, where others may read it; use TLS, or a tunnel"
            warnings.warn(text, InsecureTokenWarning, stacklevel=2)
        channel = grpc.aio.insecure_channel(target, options=merged)
    else:
        channel = grpc.aio.secure_channel(target, credentials, options=merged)
    return Client(channel, retry=retry or Retry(), deadline=deadline, silence=silence, token=token)


def _join(addresses: Sequence[str]) -> str:
    """One target for several addresses. Raises ValueError where there are none, OSError for a name that is unknown."""
    if not addresses:
        raise ValueError("give at least one address")
    if len(addresses) == 1:
        return addresses[0]
    found = [_resolve(address) for address in addresses]
    versions = {version for version, _ in found}
    if len(versions) > 1:
        raise ValueError("give IPv4 addresses or IPv6 addresses, not both")
    return f"ipv{versions.pop()}:" + ",".join(shown for _, shown in found)


def _resolve(address: str) -> tuple[int, str]:
    """The IP version of "HOST:PORT", and the address with numbers alone."""
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdecimal():
        raise ValueError(f'"{address}" is not HOST:PORT')
    host = host.strip("[]")
    try:
        known = ipaddress.ip_address(host)
    except ValueError:
        *_, place = socket.getaddrinfo(host, int(port), type=socket.SOCK_STREAM)[0]
        known = ipaddress.ip_address(place[0])
    return known.version, f"[{known}]:{port}" if known.version == 6 else f"{known}:{port}"
