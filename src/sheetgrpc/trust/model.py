"""What trusting a module comes to: which bytes it was, who vouches for them, and the functions they hold."""

from collections.abc import Callable, Iterable, Mapping

import msgspec


class TrustedModule(msgspec.Struct, frozen=True):
    """The decision to run a module's functions, as it is recorded with every execution that may call them.

    `version` is of the distribution it belongs to, "" for none; `sha256` as `capturing.Unit.sha256`, lower-case hex;
    `signer` whose signature was checked, "" for none.
    """

    module: str
    version: str
    sha256: str
    signer: str = ""


class Handler(msgspec.Struct, frozen=True):
    """The function of one `call` verb, and the module it is of."""

    function: Callable[..., object]  # takes one `handler.Call`
    module: str  # as TrustedModule.module
    is_async: bool = False


class Handlers(msgspec.Struct, frozen=True):
    """All handlers of a catalog, by verb; and the decisions on their modules, by module."""

    by_verb: Mapping[str, Handler] = {}
    modules: Mapping[str, TrustedModule] = {}

    @property
    def trusted(self) -> tuple[TrustedModule, ...]:
        """All modules that are called into, by name."""
        return tuple(self.modules[name] for name in sorted(self.modules))

    def of(self, verbs: Iterable[str]) -> tuple[TrustedModule, ...]:
        """The modules that these verbs call into, by name."""
        wanted = {self.by_verb[verb].module for verb in verbs if verb in self.by_verb}
        return tuple(self.modules[name] for name in sorted(wanted))

    def current(self, modules: Iterable[TrustedModule]) -> tuple[TrustedModule, ...]:
        """These modules as they are trusted here and now."""
        return tuple(self.modules[one.module] for one in modules if one.module in self.modules)


NO_HANDLERS = Handlers()
