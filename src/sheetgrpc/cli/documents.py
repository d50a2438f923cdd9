"""What `--json` prints: the messages of the wire under their proto names, with defaults written out."""

import json
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

Document: TypeAlias = Mapping[str, object]


def document_of(message: Message) -> Document:
    """One message as a JSON object; 64-bit integers are strings there, as protobuf has it."""
    document: dict[str, object] = MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    return document


def print_document(document: Document | Sequence[Document]) -> None:
    """Print one JSON document; what terminals might obey is escaped."""
    print(json.dumps(document, indent=2))
