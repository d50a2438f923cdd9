"""Cuts lists of messages to what one answer may hold."""

from collections.abc import Iterable, Iterator
from typing import TypeVar

from google.protobuf.message import Message

M = TypeVar("M", bound=Message)

_FRAME_BYTES = 6  # tag and length of an item within its list


def fit(messages: Iterable[M], budget: int) -> Iterator[M]:
    """The first of the messages that `budget` bytes hold; the rest is not even made."""
    for message in messages:
        budget -= message.ByteSize() + _FRAME_BYTES
        if budget < 0:
            return
        yield message


def fit_texts(texts: Iterable[str], budget: int) -> Iterator[str]:
    """The first of the texts that `budget` bytes hold, each counted at its worst."""
    for text in texts:
        budget -= 4 * len(text) + _FRAME_BYTES
        if budget < 0:
            return
        yield text
