"""A finding: a diagnostic before anybody has asked where exactly it stands."""

import msgspec

from sheetgrpc.dsl.diagnostics import DiagnosticCode


class Finding(msgspec.Struct, frozen=True, gc=False):
    """What is wrong with a statement. `part` is an argument's name as written, or "verb", or ":as".

    `symbol` narrows an argument's value to one symbol in it; `at_name` means the argument's name instead of its value.
    """

    index: int
    part: str
    code: DiagnosticCode
    message: str
    hint: str = ""
    symbol: str = ""
    at_name: bool = False
