"""Which literals are keys, and of what."""

import pytest

from sheetgrpc.catalog.model import KeyType, Scalar
from sheetgrpc.catalog.values import read_key

UUID = "0190C2E0-0000-7000-8000-00000000000A"


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        (KeyType.UUID, UUID, UUID.lower()),
        (KeyType.UUID, UUID.replace("-", ""), None),
        (KeyType.UUID, "Acme", None),
        (KeyType.UUID, 7, None),
        (KeyType.INTEGER, 7, 7),
        (KeyType.INTEGER, "-7", -7),
        (KeyType.INTEGER, "7.0", None),
        (KeyType.INTEGER, "९", None),
        (KeyType.INTEGER, "9223372036854775808", None),
        (KeyType.INTEGER, True, None),
        (KeyType.STRING, "Acme", "Acme"),
        (KeyType.STRING, 7, None),
        (KeyType.STRING, None, None),
    ],
)
def test_a_value_is_a_key_if_it_has_its_form(kind: KeyType, value: Scalar, expected: str | int | None) -> None:
    assert read_key(kind, value) == expected
