"""A breaker for each module that call verbs run: one whose functions keep failing is left alone for a while.

    CLOSED -- so many failures in a row --> OPEN -- a delay --> HALF_OPEN: one execution is let through
    CLOSED <-------------------- it does well, or a person resumes ------------------'
    OPEN <------------------------------------ it fails -----------------------------'

Knows neither queue nor store, and of an execution only its id, the modules that it calls, and how it ended. Seconds are
of the monotonic clock. All of it is this process's: a server that starts finds every breaker closed.
"""

from collections.abc import Callable, Iterable
from enum import StrEnum

import msgspec
import structlog

from sheetgrpc.clock import monotonic

log = structlog.get_logger(__name__)


class BreakerState(StrEnum):
    """Whether executions that call into a module may begin."""

    CLOSED = "CLOSED"
    """They may."""
    OPEN = "OPEN"
    """They wait in the queue."""
    HALF_OPEN = "HALF_OPEN"
    """One of them may, to see how it goes."""


class Breaker(msgspec.Struct, frozen=True):
    """One module's. `probe` is the execution that was let through; `paused_by` is "" where nobody has paused it."""

    module: str
    failures: int = 0  # in a row
    open_until: float | None = None  # half open from then on; None of a closed one
    probe: str = ""
    paused_by: str = ""

    def state(self, now: float) -> BreakerState:
        """How it is now."""
        if self.paused_by:
            return BreakerState.OPEN
        if self.open_until is None:
            return BreakerState.CLOSED
        return BreakerState.OPEN if now < self.open_until else BreakerState.HALF_OPEN

    def wait(self, now: float) -> float | None:
        """For how many seconds it stays open if nobody does anything; None for ever or not at all."""
        return None if self.paused_by or self.open_until is None else max(0.0, self.open_until - now)


class BreakerView(msgspec.Struct, frozen=True):
    """One as it is now; `wait` is how many seconds it stays open if nobody does anything, see there."""

    breaker: Breaker
    state: BreakerState
    wait: float | None


class Breakers:
    """All of them, by module."""

    def __init__(
        self, modules: Iterable[str] = (), limit: int = 5, delay: float = 60.0, now: Callable[[], float] = monotonic
    ) -> None:
        """One opens after `limit` failures in a row (0: never by itself), for `delay` seconds."""
        self._limit = limit
        self._delay = delay
        self._now = now
        self._all = {module: Breaker(module) for module in modules}

    def all(self) -> list[BreakerView]:
        """As they are now."""
        now = self._now()
        return [BreakerView(one, one.state(now), one.wait(now)) for one in self._all.values()]

    def blocked(self) -> frozenset[str]:
        """The modules that no execution may begin to call into now."""
        return frozenset(
            one.breaker.module for one in self.all() if one.breaker.probe or one.state is BreakerState.OPEN
        )

    def begin(self, execution: str, modules: Iterable[str]) -> None:
        """An execution that is not blocked begins: the probe of those that are half open."""
        for one in self._of(modules):
            if one.state(self._now()) is BreakerState.HALF_OPEN:
                self._put(msgspec.structs.replace(one, probe=execution))

    def end(self, execution: str, failed: Iterable[str], succeeded: Iterable[str]) -> None:
        """It has ended: these modules failed in it, those did well; of others it says nothing.

        While a breaker is not closed only its probe counts: others began before it opened.
        """
        failed, succeeded = frozenset(failed), frozenset(succeeded)
        for one in list(self._all.values()):
            if one.probe != execution and (one.open_until is not None or one.paused_by):
                continue
            if one.module in failed:
                self._fail(one, execution)
            elif one.module in succeeded:
                self._close(one)
            else:
                self._put(msgspec.structs.replace(one, probe=""))

    def pause(self, module: str, by: str) -> None:
        """Opens one until it is resumed."""
        self._put(msgspec.structs.replace(self._all[module], probe="", paused_by=by))
        log.warning("breaker.opened", module=module, by=by)

    def resume(self, module: str) -> None:
        """Closes one, and forgets its failures."""
        self._close(self._all[module])

    def __contains__(self, module: str) -> bool:
        return module in self._all

    def _of(self, modules: Iterable[str]) -> list[Breaker]:
        return [self._all[module] for module in modules if module in self._all]

    def _fail(self, one: Breaker, execution: str) -> None:
        failures = one.failures + 1
        if not one.probe and not 0 < self._limit <= failures:
            self._put(msgspec.structs.replace(one, failures=failures))
            return
        self._put(Breaker(one.module, failures, open_until=self._now() + self._delay))
        log.warning("breaker.opened", module=one.module, failures=failures, execution=execution)

    def _close(self, one: Breaker) -> None:
        self._put(Breaker(one.module))
        if one.open_until is not None or one.paused_by:
            log.info("breaker.closed", module=one.module)

    def _put(self, one: Breaker) -> None:
        self._all[one.module] = one
