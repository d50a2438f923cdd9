"""What is said about a sheet's text: codes, severities, and where.

A diagnostic is for a person who fixes a sheet: what is wrong, where exactly, what to do. Codes are the enum of DESIGN
section 6 and never change their meaning; texts may.
"""

from enum import StrEnum

import msgspec


class DiagnosticCode(StrEnum):
    """The kinds of finding (DESIGN section 6)."""

    SYNTAX_ERROR = "SYNTAX_ERROR"
    UNKNOWN_VERB = "UNKNOWN_VERB"
    UNKNOWN_ARGUMENT = "UNKNOWN_ARGUMENT"
    DUPLICATE_ARGUMENT = "DUPLICATE_ARGUMENT"
    MISSING_REQUIRED = "MISSING_REQUIRED"
    TYPE_MISMATCH = "TYPE_MISMATCH"
    INVALID_VALUE = "INVALID_VALUE"
    UNDEFINED_SYMBOL = "UNDEFINED_SYMBOL"
    DUPLICATE_BINDING = "DUPLICATE_BINDING"
    SELF_REFERENCE = "SELF_REFERENCE"
    BINDS_NOTHING = "BINDS_NOTHING"
    UNUSED_BINDING = "UNUSED_BINDING"
    DEPRECATED_VERB = "DEPRECATED_VERB"
    CYCLIC_DEPENDENCY = "CYCLIC_DEPENDENCY"
    MISSING_PARENT = "MISSING_PARENT"
    EMPTY_SHEET = "EMPTY_SHEET"
    LIMIT_EXCEEDED = "LIMIT_EXCEEDED"
    TOO_DEEP = "TOO_DEEP"


class Severity(StrEnum):
    """An error keeps a sheet from READY, a warning does not."""

    ERROR = "ERROR"
    WARNING = "WARNING"


WARNINGS = frozenset({DiagnosticCode.UNUSED_BINDING, DiagnosticCode.DEPRECATED_VERB})


class Extent(msgspec.Struct, frozen=True, gc=False):
    """A stretch of the source in code points: `text[offset:offset + length]`. Internal; the wire gets a `Span`."""

    offset: int
    length: int


class Span(msgspec.Struct, frozen=True, gc=False):
    """A stretch of the source for the wire: UTF-8 bytes for offset and length; line and column (code points) from 1."""

    offset: int
    length: int
    line: int
    column: int


class Diagnostic(msgspec.Struct, frozen=True, gc=False):
    """One finding. `statement_index` is None for damage that is no statement. `extent` is in code points."""

    code: DiagnosticCode
    message: str
    extent: Extent
    hint: str = ""
    statement_index: int | None = None

    @property
    def severity(self) -> Severity:
        """Follows from the code alone."""
        return Severity.WARNING if self.code in WARNINGS else Severity.ERROR
