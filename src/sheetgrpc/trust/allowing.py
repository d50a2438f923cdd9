"""The allow-list: a YAML file that says which modules may be run, and whose signatures count. Unknown keys are refused.

    version: 1
    signatures: required
    signers:
      anna: ssh-ed25519 AAAA...
    modules:
      acme_rates: {version: "1.4.0", sha256: "9f86d0...", signer: anna, signature: "uO0..."}

Says what the file says; whether a module is what it says there is `loading.py`.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from sheetgrpc.catalog.form import Form, suggest
from sheetgrpc.catalog.reading import Position, Problems, read
from sheetgrpc.config import StartError
from sheetgrpc.trust.model import TrustedModule
from sheetgrpc.trust.signing import BadKey, read_public_key

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

FILE_KEYS = ("version", "signatures", "signers", "modules")
MODULE_KEYS = ("version", "sha256", "signer", "signature")
SIGNATURES = ("required", "optional")
_VERSION = 1
_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)
_MOST_BYTES = 1024 * 1024


class Allowed(msgspec.Struct, frozen=True):
    """One module that may be run, and its signature, "" for none."""

    module: TrustedModule
    signature: str = ""


class AllowList(msgspec.Struct, frozen=True):
    """A sound allow-list. Without a file nothing is allowed."""

    file: str = ""
    modules: Mapping[str, Allowed] = {}
    signers: "Mapping[str, Ed25519PublicKey]" = {}
    signatures_required: bool = False


def read_allow_list(file: str) -> AllowList:
    """The allow-list in a file; "" is none. Raises StartError with every problem found, each with file and line."""
    if not file:
        return AllowList()
    problems = Problems(file)
    root = read(_text(file), problems)
    if root is None and not problems:
        problems.add(Position(1, 1), "the file is empty")
    found = _allow_list(file, Form(root, root.at, "", problems)) if root is not None else AllowList(file)
    if problems:
        raise StartError("the allow-list is not sound:\n" + "\n".join(f"  {line}" for line in problems.lines()))
    return found


def _text(file: str) -> str:
    try:
        raw = Path(file).read_bytes()
        if len(raw) > _MOST_BYTES:
            raise StartError(f'the allow-list "{file}" is larger than {_MOST_BYTES:,} bytes')
        return raw.decode()
    except (OSError, UnicodeDecodeError) as error:
        raise StartError(f'the allow-list "{file}" cannot be read: {error}') from error


def _allow_list(file: str, form: Form) -> AllowList:
    form.only(FILE_KEYS)
    if form.leaf("version") != _VERSION:
        form.problem(f'"version" must be {_VERSION}, the only one there is', "version")
    word = form.text("signatures")
    if word is not None and word not in SIGNATURES:
        form.problem(f'"signatures" must be {" or ".join(SIGNATURES)}, not "{word}"', "signatures")
    signers = _signers(form)
    required = word == "required"
    if required and not signers:
        form.problem('"signatures" are required, and there is no signer under "signers"', "signatures")
    modules = {
        name: _allowed(name, inner, signers, required=required)
        for name, inner in form.forms("modules", "module").items()
    }
    return AllowList(file, modules, signers, required)


def _signers(form: Form) -> "dict[str, Ed25519PublicKey]":
    """Name -> key: so no signer is without a key, and no key without a signer."""
    inner = form.form("signers", "signers")
    found: dict[str, Ed25519PublicKey] = {}
    owners: dict[bytes, str] = {}
    for name in inner.keys() if inner is not None else ():
        assert inner is not None, "there are no names without it"
        text = inner.text(name)
        if not name or name != name.strip():
            inner.problem(f'"{name}" is no name of a signer: it is empty, or has space around it', name)
        if text is None:
            continue
        try:
            found[name] = key = read_public_key(text)
        except BadKey as error:
            inner.problem(f'signer "{name}": {error}', name)
            continue
        first = owners.setdefault(key.public_bytes_raw(), name)
        if first != name:
            inner.problem(f'signer "{name}" has the key of "{first}"', name)
    return found


def _allowed(name: str, form: Form, signers: Mapping[str, object], *, required: bool) -> Allowed:
    form.only(MODULE_KEYS)
    digest = form.text("sha256", required=True)
    if digest is not None and not _SHA256.fullmatch(digest):
        form.problem('"sha256" must be 64 lower-case hex digits', "sha256")
    signer, signature = form.text("signer"), form.text("signature")
    if ("signer" in form) != ("signature" in form):
        form.problem('"signer" and "signature" belong together; say both or none')
    elif signer is None and required:
        form.problem('it is not signed, and "signatures" are required')
    elif signer is not None and signer not in signers:
        form.problem(f'there is no signer "{signer}" under "signers"{suggest(signer, signers)}', "signer")
    module = TrustedModule(name, form.text("version") or "", digest or "", signer or "")
    return Allowed(module, signature or "")
