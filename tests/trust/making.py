"""Modules and allow-lists for the tests, each module under a name of its own: imports last as long as Python."""

import itertools
from collections.abc import Mapping
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sheetgrpc.catalog.loading import load
from sheetgrpc.catalog.model import Catalog
from sheetgrpc.handler import Call
from sheetgrpc.trust.loading import decision_on, load_handlers, look_at
from sheetgrpc.trust.model import Handlers
from sheetgrpc.trust.signing import public_line, sign

DOES = "def do(call):\n    return {answer!r}\n"
_names = (f"plugin_{number}" for number in itertools.count())


class Folder:
    """A folder of modules, with a catalog that calls one of them and an allow-list."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.modules = path / "modules"
        self.modules.mkdir()
        self.allow = path / "allow.yaml"

    def write(self, files: Mapping[str, str], name: str = "") -> str:
        """Writes the files of a module, in whose names and texts NAME is the name of it, and answers that."""
        name = name or next(_names)
        for file, text in files.items():
            place = self.modules / file.replace("NAME", name)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text.replace("NAME", name))
        return name

    def simple(self, answer: str = "yes") -> str:
        return self.write({"NAME.py": DOES.format(answer=answer)})

    def line(self, name: str, key: Ed25519PrivateKey | None = None, signer: str = "anna") -> str:
        """What `sheetgrpc trust` says of a module."""
        decision = decision_on(look_at(name, str(self.modules)), signer if key is not None else "")
        signed = f', signer: "{signer}", signature: "{sign(key, decision)}"' if key is not None else ""
        return f'{name}: {{sha256: "{decision.sha256}"{signed}}}'

    def allows(self, *lines: str, head: str = "") -> None:
        self.allow.write_text("\n".join(["version: 1", head, "modules:", *(f"  {line}" for line in lines), ""]))

    def load(self, handler: str, *others: str) -> Handlers:
        """The handlers of a catalog whose verbs have these."""
        return load_handlers(catalog_of(handler, *others), str(self.allow), str(self.modules))


def catalog_of(*handlers: str) -> Catalog:
    verbs = [f'  do.it-{at}: {{kind: call, handler: "{handler}"}}' for at, handler in enumerate(handlers)]
    return load("\n".join(["verbs:", *verbs]), "catalog.yaml")


def answer_of(handlers: Handlers, verb: str = "do.it-0") -> object:
    """What a handler of the tests answers; it does not look at its call."""
    call: Call | None = None
    return handlers.by_verb[verb].function(call)


def signers(**keys: Ed25519PrivateKey) -> str:
    return "signers:\n" + "\n".join(f"  {name}: {public_line(key)}" for name, key in keys.items())
