"""The generated stubs of every service, on one channel."""

from typing import TYPE_CHECKING

import grpc

from sheetgrpc.v1 import (
    approval_service_pb2_grpc,
    catalog_service_pb2_grpc,
    control_service_pb2_grpc,
    execution_service_pb2_grpc,
    session_service_pb2_grpc,
    sheet_service_pb2_grpc,
    task_service_pb2_grpc,
)

if TYPE_CHECKING:  # these names are in the .pyi files alone
    from sheetgrpc.v1.approval_service_pb2_grpc import ApprovalServiceAsyncStub
    from sheetgrpc.v1.catalog_service_pb2_grpc import CatalogServiceAsyncStub
    from sheetgrpc.v1.control_service_pb2_grpc import ControlServiceAsyncStub
    from sheetgrpc.v1.execution_service_pb2_grpc import ExecutionServiceAsyncStub
    from sheetgrpc.v1.session_service_pb2_grpc import SessionServiceAsyncStub
    from sheetgrpc.v1.sheet_service_pb2_grpc import SheetServiceAsyncStub
    from sheetgrpc.v1.task_service_pb2_grpc import TaskServiceAsyncStub


class Stubs:
    """One stub a service."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.sessions: SessionServiceAsyncStub = session_service_pb2_grpc.SessionServiceStub(channel)
        self.sheets: SheetServiceAsyncStub = sheet_service_pb2_grpc.SheetServiceStub(channel)
        self.executions: ExecutionServiceAsyncStub = execution_service_pb2_grpc.ExecutionServiceStub(channel)
        self.approvals: ApprovalServiceAsyncStub = approval_service_pb2_grpc.ApprovalServiceStub(channel)
        self.catalog: CatalogServiceAsyncStub = catalog_service_pb2_grpc.CatalogServiceStub(channel)
        self.control: ControlServiceAsyncStub = control_service_pb2_grpc.ControlServiceStub(channel)
        self.tasks: TaskServiceAsyncStub = task_service_pb2_grpc.TaskServiceStub(channel)
