"""Ed25519 signatures over what a line of the allow-list says; `cryptography` does the work, and is asked for only here.

What is signed is a text with module, version and digest, so that a signature vouches for these bytes under this name
alone. Keys are OpenSSH's (`ssh-keygen -t ed25519`) or, private ones, PEM. (RFC 8032; the signature is not OpenSSH's own
format but the plain 64 bytes.)
"""

import base64
import binascii
from pathlib import Path
from typing import TYPE_CHECKING

from sheetgrpc.config import StartError
from sheetgrpc.trust.model import TrustedModule

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

_KIND = "ssh-ed25519"


class BadKey(ValueError):
    """Not a key that could be used. The text says why; it never has a part of the key."""


def read_public_key(text: str) -> "Ed25519PublicKey":
    """The key of a line such as `ssh-ed25519 AAAA... somebody`. Raises BadKey, StartError without `cryptography`."""
    _require()
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # noqa: PLC0415  # an extra
    from cryptography.hazmat.primitives.serialization import load_ssh_public_key  # noqa: PLC0415

    if text != text.strip() or not text.startswith(_KIND + " "):
        raise BadKey(f'a key is a line such as "{_KIND} AAAA...", without space around it')
    try:
        key = load_ssh_public_key(text.encode())
    except ValueError as error:
        raise BadKey(f'it begins with "{_KIND}" and is no such key') from error
    if not isinstance(key, Ed25519PublicKey):
        raise BadKey(f"only {_KIND} keys are taken")
    return key


def read_private_key(file: Path) -> "Ed25519PrivateKey":
    """The private key in a file without passphrase. Raises BadKey, OSError, StartError without `cryptography`."""
    _require()
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415
        load_pem_private_key,
        load_ssh_private_key,
    )

    raw = file.read_bytes()
    for load in (load_ssh_private_key, load_pem_private_key):
        try:
            key = load(raw, password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm):  # TypeError: it has a passphrase
            continue
        if isinstance(key, Ed25519PrivateKey):
            return key
    raise BadKey("it holds no Ed25519 private key without passphrase, in OpenSSH's format or PEM")


def public_line(key: "Ed25519PrivateKey") -> str:
    """The public key that belongs to a private one, as `read_public_key` takes it."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat  # noqa: PLC0415  # as above

    return key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def sign(key: "Ed25519PrivateKey", module: TrustedModule) -> str:
    """The signature of a decision, in base64."""
    return base64.b64encode(key.sign(_text(module))).decode()


def verify(key: "Ed25519PublicKey", module: TrustedModule, signature: str) -> bool:
    """True if the key's owner has signed exactly this."""
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415  # it is there: the key was made with it

    try:
        key.verify(base64.b64decode(signature, validate=True), _text(module))
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return True


def _text(module: TrustedModule) -> bytes:
    return (
        f"sheetgrpc trusts version 1\nmodule {module.module}\nversion {module.version}\nsha256 {module.sha256}\n"
    ).encode()


def _require() -> None:
    try:
        import cryptography.hazmat.primitives.asymmetric.ed25519  # noqa: F401, PLC0415
    except ImportError as error:
        raise StartError('signatures need the package cryptography: pip install "sheetgrpc[signatures]"') from error
