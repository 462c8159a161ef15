# SPDX-License-Identifier: EUPL-1.2
"""Errors across the wire: a SluisError becomes a gRPC status with `google.rpc.ErrorInfo`, and back.

ErrorInfo { reason: "BUDGET_SPENT"   domain: "sluis"   metadata: { code: "budget-spent", where: "..." } }
"""

import grpc
from google.protobuf.any_pb2 import Any
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from sluis.errors import (
    CODES,
    Conflict,
    Defect,
    InvalidInput,
    NotAuthentic,
    NotFound,
    NotPermitted,
    SluisError,
    Unavailable,
)

DOMAIN = "sluis"

_BRANCH: dict[str, type[SluisError]] = {
    "INVALID_ARGUMENT": InvalidInput,
    "UNAUTHENTICATED": NotAuthentic,
    "PERMISSION_DENIED": NotPermitted,
    "RESOURCE_EXHAUSTED": NotPermitted,
    "ALREADY_EXISTS": Conflict,
    "FAILED_PRECONDITION": Conflict,
    "NOT_FOUND": NotFound,
    "UNAVAILABLE": Unavailable,
    "DEADLINE_EXCEEDED": Unavailable,
}


def to_status(error: SluisError) -> grpc.Status:
    """Return the gRPC status of an error, with its code as ErrorInfo."""
    info = error_details_pb2.ErrorInfo(
        reason=error.code.upper().replace("-", "_"),
        domain=DOMAIN,
        metadata={"code": error.code, "where": error.where},
    )
    detail = Any()
    detail.Pack(info)
    number: int = getattr(grpc.StatusCode, CODES[error.code].grpc).value[0]
    status: grpc.Status = rpc_status.to_status(
        status_pb2.Status(code=number, message=error.message, details=[detail])
    )
    return status


def from_rpc_error(error: grpc.RpcError) -> SluisError:
    """Return our error for a failed call; the other side's code survives, its absence is `peer-unavailable`.

    A call that grpc itself refused (no connection, deadline, message too large) has no ErrorInfo.
    """
    name = error.code().name if isinstance(error, grpc.Call | grpc.aio.AioRpcError) else "UNAVAILABLE"
    text = (error.details() if isinstance(error, grpc.Call | grpc.aio.AioRpcError) else "") or ""
    branch = _BRANCH.get(name, Defect)
    if (info := _error_info(error)) is not None:
        return branch(info.metadata["code"], text, where=info.metadata["where"])
    if name == "RESOURCE_EXHAUSTED" and "larger than max" in text:
        return InvalidInput("message-too-large")
    if branch is Unavailable or name in ("CANCELLED", "UNKNOWN", "INTERNAL"):
        return Unavailable("peer-unavailable", f"the other side does not answer ({name.lower()})")
    return branch("defect", f"unexpected answer ({name.lower()})")


def _error_info(error: grpc.RpcError) -> error_details_pb2.ErrorInfo | None:
    try:
        status = rpc_status.from_call(error)
        for detail in status.details if status else []:
            info = error_details_pb2.ErrorInfo()
            if detail.Unpack(info) and info.domain == DOMAIN:
                return info
    except (ValueError, DecodeError):  # contradicts the call's own code, or is no protobuf
        pass
    return None
