"""A finding: a diagnostic before anybody has asked where exactly it stands; and what a misspelt name may have meant."""

from collections.abc import Iterable

import msgspec
from rapidfuzz import fuzz, process

from sheetgrpc.dsl.diagnostics import WARNINGS, DiagnosticCode

VERB, BINDING = "(", ":as"  # parts of a statement that no argument can be named like
SHOWN_ERRORS, SHOWN_WARNINGS = 10_000, 1_000
_SIMILAR = 60  # of 100
_COMPARISONS = 1_000_000  # 100 ms; names beyond that get no suggestion


class Finding(msgspec.Struct, frozen=True, gc=False):
    """What is wrong with a statement. `part` is an argument's name as written, or VERB, or BINDING.

    `symbol` narrows an argument's value to one symbol in it; `at_name` means the argument's name instead of its value.
    """

    index: int
    part: str
    code: DiagnosticCode
    message: str
    hint: str = ""
    symbol: str = ""
    at_name: bool = False


def shorten(findings: Iterable[Finding]) -> list[Finding]:
    """By statement, each once; of a great many the first ones, and one that counts the others.

    Where a finding stands is read from the source again, so what hostile text can ask for must have an end.
    """
    ordered = sorted(dict.fromkeys(findings), key=lambda finding: finding.index)
    errors = [finding for finding in ordered if finding.code not in WARNINGS]
    warnings = [finding for finding in ordered if finding.code in WARNINGS]
    return _cut(errors, SHOWN_ERRORS, "errors") + _cut(warnings, SHOWN_WARNINGS, "warnings")


def _cut(findings: list[Finding], limit: int, noun: str) -> list[Finding]:
    if len(findings) <= limit:
        return findings
    message = f"{len(findings) - limit:,} more {noun} are not shown"
    rest = Finding(findings[limit].index, VERB, findings[limit].code, message, "correct those shown, then parse again")
    return [*findings[:limit], rest]


class Closest:
    """The nearest of some names to a misspelt one."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = [name for name in names if not name.startswith("__")]
        self._left = _COMPARISONS

    def find(self, name: str) -> str | None:
        """The name that may have been meant, or None."""
        self._left -= len(self._names)
        if self._left < 0:
            return None
        found = process.extractOne(name, self._names, scorer=fuzz.ratio, score_cutoff=_SIMILAR)
        return found[0] if found is not None else None
