"""The Python SDK of sheetgrpc: typed, async, exactly once. Knows the wire (sheetgrpc.v1) and nothing else of sheetgrpc.

async with connect("127.0.0.1:50051") as client:
    session = await client.sessions.create("nightly load")
    await session.import_sheet(source)
    sheet = await session.parse_sheet()
    async for update in session.execute_sheet(confirm=True):
        print(update)
"""

from sheetgrpc.client.connection import Client, connect
from sheetgrpc.client.errors import (
    AlreadyExists,
    Conflict,
    DeadlineExceeded,
    FieldViolation,
    InvalidRequest,
    LimitExceeded,
    NotAllowed,
    NotFound,
    ServerFault,
    SheetgrpcError,
    Unavailable,
)
from sheetgrpc.client.events import SessionEvents
from sheetgrpc.client.lines import Resumed, entry
from sheetgrpc.client.retry import NEVER, Retry
from sheetgrpc.client.session import Session
from sheetgrpc.client.streams import ExecutionStream, Finished, Snapshot, Update
from sheetgrpc.client.tokens import InsecureTokenWarning
from sheetgrpc.v1.execution_service_pb2 import PhaseCompleted, PhaseStarted, StatementResults
from sheetgrpc.v1.progress_pb2 import Progress
from sheetgrpc.v1.session_service_pb2 import Reset, SessionEntry, SessionEvent

__all__ = [
    "NEVER",
    "AlreadyExists",
    "Client",
    "Conflict",
    "DeadlineExceeded",
    "ExecutionStream",
    "FieldViolation",
    "Finished",
    "InsecureTokenWarning",
    "InvalidRequest",
    "LimitExceeded",
    "NotAllowed",
    "NotFound",
    "PhaseCompleted",
    "PhaseStarted",
    "Progress",
    "Reset",
    "Resumed",
    "Retry",
    "ServerFault",
    "Session",
    "SessionEntry",
    "SessionEvent",
    "SessionEvents",
    "SheetgrpcError",
    "Snapshot",
    "StatementResults",
    "Unavailable",
    "Update",
    "connect",
    "entry",
]
