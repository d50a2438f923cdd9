"""How much the language takes."""

import msgspec


class Limits(msgspec.Struct, frozen=True):
    """What a sheet may not exceed; `errors` is how many syntax errors are told apart."""

    nesting: int = 64
    arguments: int = 256
    statements: int = 200_000
    errors: int = 1_000
