"""Checks the form of a request's fields and gathers all that is wrong before it refuses.

Knows texts, numbers and violations; nothing of messages.
"""

import re
import unicodedata
from collections.abc import Sequence

from sheetgrpc.errors import FieldViolation, InvalidRequest, Reason
from sheetgrpc.session.model import MAX_LABELS

NAME_LENGTH = 128  # of what names something: sessions, labels, ids, request ids, entity types
TEXT_LENGTH = 1000  # of what people write in a line: names, roles, texts to look for, keys

_MAX_VIOLATIONS = 20
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_VISIBLE = frozenset("LMNPS")  # letters, marks, numbers, punctuation, symbols
# ASCII, because without it IGNORECASE takes the Kelvin sign for a K.
_ID_PREFIX = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{5,25}", re.ASCII | re.IGNORECASE)


class Form:
    """The fields of one request as they are read. `done` refuses if any of them is wrong."""

    def __init__(self) -> None:
        self._violations: list[FieldViolation] = []
        self._reserved: list[FieldViolation] = []

    def refuse(self, field: str, description: str) -> None:
        """Notes that a field is wrong."""
        if len(self._violations) < _MAX_VIOLATIONS:
            self._violations.append(FieldViolation(field, description))

    def name(self, field: str, text: str, *, required: bool = True) -> str:
        """A text that names something."""
        return self._line(field, text, NAME_LENGTH, required=required)

    def text(self, field: str, text: str, *, required: bool = False) -> str:
        """A text of one line."""
        return self._line(field, text, TEXT_LENGTH, required=required)

    def source(self, field: str, text: str) -> str:
        """A text in the language: its limit and what may be in it are the language's."""
        if not text:
            self.refuse(field, "must not be empty")
        return text

    def labels(self, field: str, labels: list[str]) -> tuple[str, ...]:
        """Labels of a session, each once, in the order given."""
        if len(labels) > MAX_LABELS:
            self.refuse(field, f"has {len(labels):,} labels; {MAX_LABELS} are allowed")
            return ()
        return tuple(dict.fromkeys(self.label(f"{field}[{index}]", label) for index, label in enumerate(labels)))

    def label(self, field: str, label: str) -> str:
        """A label of a session, without the spaces around it."""
        label = self.name(field, label.strip())
        if not (label.isprintable() or len(label) > NAME_LENGTH or _CONTROL.search(label) or _is_visible(label)):
            self.refuse(field, "must have something to see")
        if _ID_PREFIX.fullmatch(label):
            self._reserved.append(
                FieldViolation(
                    field, f'"{label}" could be the prefix of a session id; choose another, such as "x-{label}"'
                )
            )
        return label

    def keys(self, field: str, keys: Sequence[str]) -> tuple[str, ...]:
        """Keys of rows, as many as there may be: what is in them is judged with their type."""
        for at, key in enumerate(keys):
            if not 0 < len(key) <= TEXT_LENGTH:
                self.text(f"{field}[{at}]", key, required=True)
        return tuple(keys)

    def count(self, field: str, number: int, *, default: int, limit: int) -> int:
        """A number of things asked for: `default` for 0, `limit` for more than that."""
        if number < 0:
            self.refuse(field, "must not be negative")
        return min(number or default, limit)

    def done(self) -> None:
        """Raises InvalidRequest with every violation; LABEL_RESERVED if labels that look like ids are all there is."""
        wrong = self._violations or self._reserved
        if not wrong:
            return
        reason = Reason.INVALID_FIELD if self._violations else Reason.LABEL_RESERVED
        first, others = wrong[0], len(wrong) - 1
        more = f" ({others} more in the details)" if others else ""
        raise InvalidRequest(reason, f"{first.field}: {first.description}{more}", violations=wrong)

    def _line(self, field: str, text: str, limit: int, *, required: bool) -> str:
        if len(text) > limit:
            self.refuse(field, f"has {len(text):,} characters; {limit:,} are allowed")
        elif required and not text:
            self.refuse(field, "must not be empty")
        elif not text.isprintable() and _CONTROL.search(text):
            self.refuse(field, "must not have control characters")
        return text


def _is_visible(text: str) -> bool:
    return any(unicodedata.category(one)[0] in _VISIBLE for one in text)
