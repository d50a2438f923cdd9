"""From a catalog's `call` verbs to functions that may be run: default deny.

Every module that the allow-list names is read once, hashed and compared; only what is there as it says is imported, and
from the bytes that were hashed. Whatever is wrong keeps the server from starting.
"""

import asyncio
import inspect
from collections.abc import Callable, Mapping
from pathlib import Path

import structlog

from sheetgrpc.catalog.model import Catalog, Verb, VerbKind
from sheetgrpc.config import StartError
from sheetgrpc.trust.allowing import Allowed, AllowList, read_allow_list
from sheetgrpc.trust.capturing import Unit, capture
from sheetgrpc.trust.importing import admit, load
from sheetgrpc.trust.model import Handler, Handlers, TrustedModule
from sheetgrpc.trust.signing import verify

log = structlog.get_logger(__name__)


def load_handlers(catalog: Catalog, allow: str, folder: str) -> Handlers:
    """The handlers of a catalog. Raises StartError.

    `allow` is the allow-list's file, `folder` where modules are looked for first; "" is none.
    """
    allowed = read_allow_list(allow)
    where = _folder(folder)
    verbs = [verb for verb in catalog.verbs.values() if verb.kind is VerbKind.CALL]
    _require_allowed(verbs, allowed)
    units = [_check(one, allowed, where) for one in allowed.modules.values()]
    if not verbs:
        return Handlers()
    admit(units)
    by_verb = {verb.name: _handler(verb) for verb in verbs}
    modules = {handler.module: allowed.modules[handler.module].module for handler in by_verb.values()}
    for module in modules.values():
        _tell(module)
    return Handlers(by_verb, modules)


def look_at(name: str, folder: str) -> Unit:
    """A module as it is now, which is not imported. Raises StartError."""
    return capture(name, _folder(folder))


def decision_on(unit: Unit, signer: str = "") -> TrustedModule:
    """What the allow-list would have to say of it."""
    return TrustedModule(unit.name, unit.version, unit.sha256, signer)


def _folder(folder: str) -> Path | None:
    if not folder:
        return None
    if not Path(folder).is_dir():
        raise StartError(f'there is no folder "{folder}" to look for handlers in')
    return Path(folder)


def _require_allowed(verbs: list[Verb], allowed: AllowList) -> None:
    problems = [
        f'verb "{verb.name}": module "{_unit(verb)}" is not on {_place(allowed)}'
        for verb in verbs
        if _unit(verb) not in allowed.modules
    ]
    if problems:
        hint = 'look at what it does; "sheetgrpc trust MODULE" prints the line that allows it'
        raise StartError("\n".join(["the catalog calls modules that are not trusted:", *problems, hint]))


def _place(allowed: AllowList) -> str:
    return f'the allow-list "{allowed.file}"' if allowed.file else "an allow-list: there is none, name it with --allow"


def _unit(verb: Verb) -> str:
    return verb.handler.partition(":")[0].partition(".")[0]


def _check(one: Allowed, allowed: AllowList, folder: Path | None) -> Unit:
    """The module as it is, which is as the allow-list says."""
    unit, expected = capture(one.module.module, folder), one.module
    found = decision_on(unit, expected.signer)
    where = f'module "{unit.name}" is not what the allow-list "{allowed.file}" says'
    if found.version != expected.version:
        raise StartError(
            f'{where}: its version is "{found.version}", expected "{expected.version}"; sheetgrpc trust {unit.name}'
        )
    if found.sha256 != expected.sha256:
        raise StartError(
            f"{where}: its SHA-256 is {found.sha256}, expected {expected.sha256}; somebody changed it since. If that is"
            f" right, sheetgrpc trust {unit.name} prints its new line"
        )
    if expected.signer and not verify(allowed.signers[expected.signer], found, one.signature):
        raise StartError(
            f'{where}: the signature is not that of "{expected.signer}" for module "{found.module}", version'
            f' "{found.version}", SHA-256 {found.sha256}'
        )
    return unit


def _handler(verb: Verb) -> Handler:
    module, _, name = verb.handler.partition(":")
    function = getattr(load(module), name, None)
    where = f'verb "{verb.name}": handler "{verb.handler}"'
    if not inspect.isfunction(function):
        raise StartError(f"{where} is no function")
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise StartError(f"{where} yields; it must return")
    if not _takes_one(function):
        raise StartError(f"{where} must take one argument, the call")
    return Handler(function, _unit(verb), asyncio.iscoroutinefunction(function))


def _takes_one(function: Callable[..., object]) -> bool:
    try:
        inspect.signature(function).bind(None)
    except TypeError:
        return False
    return True


def _tell(module: TrustedModule) -> None:
    told: Mapping[str, str] = {"module": module.module, "version": module.version, "sha256": module.sha256}
    if module.signer:
        log.info("handlers.trusted", **told, signer=module.signer)
    else:
        log.warning("handlers.unsigned", **told, hint="trusted by its digest alone")
