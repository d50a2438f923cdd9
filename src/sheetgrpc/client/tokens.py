"""A channel that sends a bearer token with every call; and to which addresses one may be sent in plain text.

Metadata of the call, not gRPC's call credentials: those refuse a channel without TLS, which is right for a network and
wrong for a server on the same machine.
"""

import ipaddress
import re
from collections.abc import Callable
from typing import Any

import grpc

_TARGET = re.compile(r"(?:(?:dns|ipv4|ipv6|passthrough):)?(?://[^/]*/)?(?P<host>\[[^\]]*\]|[^:]*)(?::\d+)?")
_PRINTABLE = re.compile(r"[\x21-\x7e]{1,1000}")


class InsecureTokenWarning(UserWarning):
    """A token is about to cross a network that others may read."""


class TokenChannel:
    """What the stubs use of a channel, with the token added to each call."""

    def __init__(self, channel: grpc.aio.Channel, token: str) -> None:
        self._channel = channel
        self._sent = (("authorization", f"Bearer {token}"),)

    # Any: calls of every request and answer, and whatever options the generated stubs give.
    def unary_unary(self, *args: Any, **options: Any) -> Callable[..., Any]:
        """As the channel's own."""
        method = self._channel.unary_unary(*args, **options)
        return lambda request, **more: method(request, metadata=self._sent, **more)

    def unary_stream(self, *args: Any, **options: Any) -> Callable[..., Any]:
        """As the channel's own."""
        method = self._channel.unary_stream(*args, **options)
        return lambda request, **more: method(request, metadata=self._sent, **more)


def check_token(token: str) -> None:
    """Raises ValueError, without showing it, where the token is none that can be sent; "" is none, and may be."""
    if token and _PRINTABLE.fullmatch(token) is None:
        raise ValueError("the token must be printable ASCII without blanks, at most 1,000 characters")


def is_local(address: str) -> bool:
    """Whether what is sent there stays on this machine."""
    if address.startswith(("unix:", "unix-abstract:")):
        return True
    found = _TARGET.fullmatch(address)
    host = found["host"].strip("[]") if found is not None else ""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
