"""The digest of a plan: what somebody approved, and what a run compares with before it commits.

Over the sheet's text, the scope it was made of, the catalog, every key that a name was resolved to, and the effects.
Two plans of the same sheet have one digest exactly if they would do the same. Not in it: keys that the run makes (they
are written after their statement), display texts, and what a row was that the run itself made. Pure.
"""

import hashlib
from collections.abc import Mapping, Sequence

import msgspec

from sheetgrpc.catalog.model import Type
from sheetgrpc.planning.effects import RowEffect
from sheetgrpc.planning.model import Key, Plan

_VERSION = 1
_PIECE = 1000  # effects encoded at a time
_NOTHING: Mapping[str, object] = {}
_encode = msgspec.msgpack.Encoder(order="deterministic").encode


def scope_digest(entity_type: str, keys: Sequence[Key]) -> str:
    """What a scope snapshot holds; "" stands for no scope."""
    return hashlib.sha256(_encode((entity_type, keys))).hexdigest()


def plan_digest(*, sheet: str, scope: str, catalog: str, plan: Plan, effects: Sequence[RowEffect]) -> str:
    """SHA-256, 64 lower-case hex digits; `sheet`, `scope` and `catalog` are digests themselves.

    `catalog` has also those of the modules whose functions the sheet calls.

    `effects` are those of `planning.effects.collect` with made keys by their statement.
    """
    whole = hashlib.sha256(_encode((_VERSION, sheet, scope, catalog)))
    for group in plan.groups:
        for column in group.columns:
            if column.type is Type.ENTITY:
                whole.update(_encode((group.verb, column.argument, column.values)))
    for start in range(0, len(effects), _PIECE):
        essences = [
            (one.statement_index, one.table, one.kind, one.key, _NOTHING if one.made else one.before, one.after)
            for one in effects[start : start + _PIECE]
        ]
        whole.update(_encode(essences))
    return whole.hexdigest()
