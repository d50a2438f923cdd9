"""Who calls, told in one place from what a call carries; and which calls are for some callers only.

Whoever comes after tokens (certificates, signed claims) is one more `Identify`. Knows gRPC's metadata and errors.py;
knows nothing of sessions. A caller is never told why it is not known.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from sheetgrpc.errors import PermissionDenied, Reason, Unauthenticated
from sheetgrpc.session.model import ANONYMOUS

OPERATOR = "operator"
"""The role of those who may hold the queue and let it go."""
APPROVER = "approver"
"""The role of those who may decide approvals."""
REQUIRED_ROLES: Mapping[str, str] = {
    "PauseQueue": OPERATOR,
    "ResumeQueue": OPERATOR,
    "DecideApproval": APPROVER,
}
"""RPC -> the role that it is for; every other RPC is for any caller."""

_KEY = "authorization"
_SCHEME = "bearer "
_MAX_TOKEN = 1024  # characters


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """A verified name and the roles that go with it."""

    name: str
    roles: frozenset[str] = field(default_factory=frozenset)


Metadata: TypeAlias = Sequence[tuple[str, str | bytes]]
Identify: TypeAlias = Callable[[Metadata], Caller]
"""Answers who sent a call with this metadata; raises Unauthenticated where that is not known."""

NOBODY = Caller(name=ANONYMOUS, roles=frozenset({OPERATOR, APPROVER}))
"""Every caller of a server that identifies nobody: whoever reaches it may do everything."""


def trust_all(_sent: Metadata) -> Caller:
    """The `Identify` of a server without tokens."""
    return NOBODY


def identify_by(find: Callable[[str], Caller | None]) -> Identify:
    """The `Identify` of bearer tokens; `find` answers whose a token is."""

    def identify(sent: Metadata) -> Caller:
        token = _read_bearer(sent)
        caller = find(token) if token is not None else None
        if caller is None:
            raise _unknown()
        return caller

    return identify


def check_role(rpc: str, caller: Caller) -> None:
    """Raises PermissionDenied where the RPC is for a role that the caller has not."""
    role = REQUIRED_ROLES.get(rpc)
    if role is not None and role not in caller.roles:
        text = f"{rpc} is for callers with the role {role}; ask whoever keeps the server's token file for it"
        raise PermissionDenied(Reason.PERMISSION_DENIED, text, metadata={"role": role})


def _read_bearer(sent: Metadata) -> str | None:
    """The one token that the call carries; None for none, several, or something else."""
    found = [value for key, value in sent if key == _KEY]
    if len(found) != 1 or not isinstance(found[0], str) or len(found[0]) > _MAX_TOKEN:
        return None
    text = found[0]
    return text[len(_SCHEME) :].strip() if text[: len(_SCHEME)].lower() == _SCHEME else None


def _unknown() -> Unauthenticated:
    text = "the call carries no token that this server knows; send one as metadata authorization: Bearer TOKEN"
    return Unauthenticated(Reason.UNAUTHENTICATED, text)
