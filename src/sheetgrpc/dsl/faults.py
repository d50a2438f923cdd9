"""Collects the syntax errors of one text, at most so many, and words them. It does not parse."""

from collections.abc import Collection

from sheetgrpc.dsl.diagnostics import Diagnostic, DiagnosticCode, Extent
from sheetgrpc.dsl.lexer import describe


class Faults:
    """The faults found so far: `count` of all, `kept` in memory, up to a limit that hostile text cannot pass."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._first_unkept = Extent(0, 0)
        self.full = False  # something was found beyond the limit
        self.kept: list[Diagnostic] = []
        self.count = 0
        self.quiet = False  # count, but keep nothing: what follows is the consequence of a fault already kept

    def report(self, code: DiagnosticCode, message: str, offset: int, length: int, hint: str) -> None:
        """Adds a fault at `text[offset:offset + length]`."""
        self.count += 1
        if self.quiet:
            return
        if len(self.kept) < self._limit:
            self.kept.append(Diagnostic(code, message, Extent(offset, length), hint))
            return
        self._first_unkept = self._first_unkept if self.full else Extent(offset, length)
        self.full = True

    def syntax(self, message: str, offset: int, length: int, hint: str) -> None:
        """Adds a SYNTAX_ERROR."""
        self.report(DiagnosticCode.SYNTAX_ERROR, message, offset, length, hint)

    def lacks_opener(self, verb: str, at: int) -> None:
        """A statement begins with its verb."""
        self.syntax(f'the "(" before {describe(verb)} is missing', at, len(verb), "add it")

    def lacks_verb(self, start: int, end: int, *, empty: bool) -> None:
        """A call has no verb where the verb should be."""
        message = "an empty statement" if empty else 'no verb follows the "("'
        self.syntax(
            message, start, end - start if empty else 1, "a statement begins with its verb, as in (cbu.ensure ...)"
        )

    def lacks_domain(self, verb: str, at: int) -> None:
        """A verb of one name alone."""
        hint = "a verb is a domain and an action, as in cbu.ensure"
        self.syntax(f"the verb {describe(verb)} has no domain", at, len(verb), hint)

    def lacks_keyword(self, found: str, at: int, length: int, hint: str = "") -> None:
        """A value where a keyword should be."""
        hint = hint or 'every value has a keyword before it, as in :name "..."'
        self.syntax(f"expected a keyword, found {found}", at, length, hint)

    def lacks_value(self, key: str, at: int) -> None:
        """A keyword without a value."""
        self.syntax(f'":{key}" has no value', at, len(key) + 1, "add a value, or nil, or remove the keyword")

    def lacks_symbol(self, found: str, at: int, length: int, hint: str) -> None:
        """`:as` without its symbol."""
        message = f'a symbol must follow ":as", found {found}' if found else 'a symbol must follow ":as"'
        self.syntax(message, at, length, hint)

    def duplicate(self, verb: str | None, name: str, at: int) -> None:
        """A name twice in one call of `verb`, or in one map if that is None."""
        code = DiagnosticCode.SYNTAX_ERROR if verb is None else DiagnosticCode.DUPLICATE_ARGUMENT
        what = "of one map" if verb is None else f"of {describe(verb)}"
        self.report(code, f'":{name}" {what} is given twice', at, len(name) + 1, "keep one of them")

    def reserved(self, name: str, at: int) -> None:
        """A symbol of the server's."""
        hint = "names that begin with two underscores are the server's; choose another"
        self.syntax(f'the symbol "@{name}" is reserved', at, len(name) + 1, hint)

    def unclosed(self, opener: str, closer: str, verb: str | None, at: int, before: str) -> None:
        """A bracket that is never closed, or not before the closing bracket `before`."""
        what = f'"{opener}" of {describe(verb)}' if verb else f'"{opener}"'
        if before:
            self.syntax(f'{what} is not closed before "{before}"', at, 1, f'add "{closer}" before the "{before}"')
        else:
            end = "statement" if opener == "(" else "list" if opener == "[" else "map"
            self.syntax(f"{what} is never closed", at, 1, f'add "{closer}" where the {end} ends')

    def stray(self, closers: str, at: int) -> None:
        """Closing brackets too many."""
        hint = "remove it, or add the bracket that it closes"
        self.syntax(f"{describe(closers)} closes nothing", at, len(closers), hint)

    def retract(self, since: int, offsets: Collection[int]) -> None:
        """Takes back what was kept from number `since` on and begins at one of `offsets`: it was no fault after all."""
        self.kept[since:] = [kept for kept in self.kept[since:] if kept.extent.offset not in offsets]

    def listed(self) -> list[Diagnostic]:
        """All that was kept, in source order, and a last one that says so if there were more."""
        kept = sorted(self.kept, key=lambda diagnostic: diagnostic.extent.offset)
        if self.full:
            message = f"more than {self._limit:,} syntax errors; the rest was not read"
            hint = "correct those shown, then parse again"
            kept.append(Diagnostic(DiagnosticCode.SYNTAX_ERROR, message, self._first_unkept, hint))
        return kept
