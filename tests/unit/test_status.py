# SPDX-License-Identifier: EUPL-1.2
"""Errors across the wire: every code survives, with its place and its text; what is not ours becomes Unavailable."""

import grpc
import pytest
from google.protobuf.any_pb2 import Any
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
from sluis.rpc.status import from_rpc_error, to_status

BRANCHES: list[type[SluisError]] = [
    InvalidInput,
    NotAuthentic,
    NotPermitted,
    Conflict,
    NotFound,
    Unavailable,
    Defect,
]


def failed(status: grpc.Status) -> grpc.aio.AioRpcError:
    metadata = grpc.aio.Metadata(*(status.trailing_metadata or ()))
    return grpc.aio.AioRpcError(status.code, grpc.aio.Metadata(), metadata, details=status.details)


def bare(code: grpc.StatusCode, details: str = "") -> SluisError:
    return from_rpc_error(
        grpc.aio.AioRpcError(code, grpc.aio.Metadata(), grpc.aio.Metadata(), details=details)
    )


@pytest.mark.parametrize("code", CODES)
def test_every_code_comes_out_as_it_went_in(code: str) -> None:
    for branch in BRANCHES:
        found = from_rpc_error(failed(to_status(branch(code, "één zin", where="a.b"))))
        assert (found.code, found.message, found.where) == (code, "één zin", "a.b")
        assert type(found) is type(from_rpc_error(failed(to_status(SluisError(code)))))


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (InvalidInput("malformed-request"), grpc.StatusCode.INVALID_ARGUMENT),
        (NotAuthentic("signature-wrong"), grpc.StatusCode.UNAUTHENTICATED),
        (NotPermitted("not-your-role"), grpc.StatusCode.PERMISSION_DENIED),
        (NotPermitted("budget-spent"), grpc.StatusCode.RESOURCE_EXHAUSTED),
        (Conflict("signal-exists"), grpc.StatusCode.ALREADY_EXISTS),
        (Conflict("wrong-state"), grpc.StatusCode.FAILED_PRECONDITION),
        (NotFound("not-found"), grpc.StatusCode.NOT_FOUND),
        (Unavailable("overloaded"), grpc.StatusCode.UNAVAILABLE),
        (Defect("defect"), grpc.StatusCode.INTERNAL),
    ],
    ids=lambda item: getattr(item, "code", getattr(item, "name", "")),
)
def test_each_branch_has_its_status_and_comes_back_as_itself(
    error: SluisError, status: grpc.StatusCode
) -> None:
    sent = to_status(error)
    assert sent.code is status
    assert type(from_rpc_error(failed(sent))) is type(error)


def test_the_details_are_an_error_info_as_the_specification_has_it() -> None:
    status = rpc_status.from_call(failed(to_status(NotPermitted("budget-spent", where="epochs"))))
    assert status is not None
    info = error_details_pb2.ErrorInfo()
    (detail,) = status.details
    assert detail.Unpack(info)
    assert (info.reason, info.domain) == ("BUDGET_SPENT", "sluis")
    assert dict(info.metadata) == {"code": "budget-spent", "where": "epochs"}


def test_every_code_has_a_text_in_both_languages_and_a_status_that_exists() -> None:
    for code, text in CODES.items():
        assert code == code.lower()
        assert text.english
        assert text.dutch
        assert text.english != text.dutch
        assert hasattr(grpc.StatusCode, text.grpc)
        assert 400 <= text.http < 600


def test_a_code_that_is_not_listed_is_a_defect_that_says_so() -> None:
    error = InvalidInput("no-such-code", "text")
    assert error.code == "defect"
    assert "no-such-code" in error.message


@pytest.mark.parametrize("code", ["UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED", "UNKNOWN", "INTERNAL"])
def test_a_call_that_grpc_itself_ended_is_unavailable(code: str) -> None:
    error = bare(getattr(grpc.StatusCode, code), "connection refused")
    assert (type(error), error.code) == (Unavailable, "peer-unavailable")


def test_a_message_over_the_limit_is_the_callers_to_mend() -> None:
    for details in ("Received message larger than max (5 vs. 4)", "Sent message larger than max (5 vs. 4)"):
        error = bare(grpc.StatusCode.RESOURCE_EXHAUSTED, details)
        assert (type(error), error.code) == (InvalidInput, "message-too-large")


def test_an_answer_without_our_details_is_never_taken_for_ours() -> None:
    assert bare(grpc.StatusCode.UNIMPLEMENTED).code == "defect"
    assert bare(grpc.StatusCode.PERMISSION_DENIED).code == "defect"
    foreign = Any()
    foreign.Pack(error_details_pb2.ErrorInfo(reason="X", domain="other", metadata={"code": "party-stopped"}))
    strange = Any(type_url="type.googleapis.com/x", value=b"\xff")
    for details in ([foreign], [strange], []):
        status = rpc_status.to_status(status_pb2.Status(code=7, message="no", details=details))
        assert from_rpc_error(failed(status)).code == "defect"


def test_details_that_are_broken_do_not_break_the_reader() -> None:
    metadata = grpc.aio.Metadata(("grpc-status-details-bin", b"\xff\xff\xff"))
    call = grpc.aio.AioRpcError(grpc.StatusCode.NOT_FOUND, grpc.aio.Metadata(), metadata, details="x")
    assert from_rpc_error(call).code == "defect"
    broken = Any(type_url="type.googleapis.com/google.rpc.ErrorInfo", value=b"\xff")
    status = rpc_status.to_status(status_pb2.Status(code=5, message="x", details=[broken]))
    assert from_rpc_error(failed(status)).code == "defect"


def test_details_of_another_status_are_not_believed() -> None:
    sent = to_status(NotFound("not-found", "text"))
    metadata = grpc.aio.Metadata(*(sent.trailing_metadata or ()))
    call = grpc.aio.AioRpcError(
        grpc.StatusCode.PERMISSION_DENIED, grpc.aio.Metadata(), metadata, details="text"
    )
    assert from_rpc_error(call).code == "defect"
