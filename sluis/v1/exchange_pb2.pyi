from sluis.v1 import envelope_pb2 as _envelope_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class PushRequest(_message.Message):
    __slots__ = ("idempotency_key", "envelope", "strict")
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    ENVELOPE_FIELD_NUMBER: _ClassVar[int]
    STRICT_FIELD_NUMBER: _ClassVar[int]
    idempotency_key: str
    envelope: _envelope_pb2.Envelope
    strict: bool
    def __init__(self, idempotency_key: _Optional[str] = ..., envelope: _Optional[_Union[_envelope_pb2.Envelope, _Mapping]] = ..., strict: _Optional[bool] = ...) -> None: ...

class PushResponse(_message.Message):
    __slots__ = ("decision", "receipt", "entry", "repeated_request")
    DECISION_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    ENTRY_FIELD_NUMBER: _ClassVar[int]
    REPEATED_REQUEST_FIELD_NUMBER: _ClassVar[int]
    decision: _envelope_pb2.Decision
    receipt: _envelope_pb2.Receipt
    entry: bytes
    repeated_request: bool
    def __init__(self, decision: _Optional[_Union[_envelope_pb2.Decision, _Mapping]] = ..., receipt: _Optional[_Union[_envelope_pb2.Receipt, _Mapping]] = ..., entry: _Optional[bytes] = ..., repeated_request: _Optional[bool] = ...) -> None: ...

class PushStreamRequest(_message.Message):
    __slots__ = ("pushes",)
    PUSHES_FIELD_NUMBER: _ClassVar[int]
    pushes: _containers.RepeatedCompositeFieldContainer[PushRequest]
    def __init__(self, pushes: _Optional[_Iterable[_Union[PushRequest, _Mapping]]] = ...) -> None: ...

class PushStreamResponse(_message.Message):
    __slots__ = ("results",)
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[PushResult]
    def __init__(self, results: _Optional[_Iterable[_Union[PushResult, _Mapping]]] = ...) -> None: ...

class PushResult(_message.Message):
    __slots__ = ("idempotency_key", "answer", "error")
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    ANSWER_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    idempotency_key: str
    answer: PushResponse
    error: _envelope_pb2.ItemError
    def __init__(self, idempotency_key: _Optional[str] = ..., answer: _Optional[_Union[PushResponse, _Mapping]] = ..., error: _Optional[_Union[_envelope_pb2.ItemError, _Mapping]] = ...) -> None: ...

class MatchRequest(_message.Message):
    __slots__ = ("idempotency_key", "agreement", "purpose", "kind", "epoch", "pseudonyms", "digest_index")
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    AGREEMENT_FIELD_NUMBER: _ClassVar[int]
    PURPOSE_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    PSEUDONYMS_FIELD_NUMBER: _ClassVar[int]
    DIGEST_INDEX_FIELD_NUMBER: _ClassVar[int]
    idempotency_key: str
    agreement: str
    purpose: str
    kind: str
    epoch: str
    pseudonyms: bytes
    digest_index: int
    def __init__(self, idempotency_key: _Optional[str] = ..., agreement: _Optional[str] = ..., purpose: _Optional[str] = ..., kind: _Optional[str] = ..., epoch: _Optional[str] = ..., pseudonyms: _Optional[bytes] = ..., digest_index: _Optional[int] = ...) -> None: ...

class MatchResponse(_message.Message):
    __slots__ = ("idempotency_key", "answer", "error")
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    ANSWER_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    idempotency_key: str
    answer: MatchAnswer
    error: _envelope_pb2.ItemError
    def __init__(self, idempotency_key: _Optional[str] = ..., answer: _Optional[_Union[MatchAnswer, _Mapping]] = ..., error: _Optional[_Union[_envelope_pb2.ItemError, _Mapping]] = ...) -> None: ...

class MatchAnswer(_message.Message):
    __slots__ = ("decision", "asked", "hits", "receipt", "entry", "last")
    DECISION_FIELD_NUMBER: _ClassVar[int]
    ASKED_FIELD_NUMBER: _ClassVar[int]
    HITS_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    ENTRY_FIELD_NUMBER: _ClassVar[int]
    LAST_FIELD_NUMBER: _ClassVar[int]
    decision: _envelope_pb2.Decision
    asked: int
    hits: _containers.RepeatedCompositeFieldContainer[MatchHit]
    receipt: _envelope_pb2.Receipt
    entry: bytes
    last: bool
    def __init__(self, decision: _Optional[_Union[_envelope_pb2.Decision, _Mapping]] = ..., asked: _Optional[int] = ..., hits: _Optional[_Iterable[_Union[MatchHit, _Mapping]]] = ..., receipt: _Optional[_Union[_envelope_pb2.Receipt, _Mapping]] = ..., entry: _Optional[bytes] = ..., last: _Optional[bool] = ...) -> None: ...

class MatchHit(_message.Message):
    __slots__ = ("position", "delivery")
    POSITION_FIELD_NUMBER: _ClassVar[int]
    DELIVERY_FIELD_NUMBER: _ClassVar[int]
    position: int
    delivery: Delivery
    def __init__(self, position: _Optional[int] = ..., delivery: _Optional[_Union[Delivery, _Mapping]] = ...) -> None: ...

class FetchDigestRequest(_message.Message):
    __slots__ = ("agreement", "purpose", "kind", "epoch", "since_index", "bits")
    AGREEMENT_FIELD_NUMBER: _ClassVar[int]
    PURPOSE_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    SINCE_INDEX_FIELD_NUMBER: _ClassVar[int]
    BITS_FIELD_NUMBER: _ClassVar[int]
    agreement: str
    purpose: str
    kind: str
    epoch: str
    since_index: int
    bits: int
    def __init__(self, agreement: _Optional[str] = ..., purpose: _Optional[str] = ..., kind: _Optional[str] = ..., epoch: _Optional[str] = ..., since_index: _Optional[int] = ..., bits: _Optional[int] = ...) -> None: ...

class FetchDigestResponse(_message.Message):
    __slots__ = ("start", "body")
    START_FIELD_NUMBER: _ClassVar[int]
    BODY_FIELD_NUMBER: _ClassVar[int]
    start: DigestStart
    body: bytes
    def __init__(self, start: _Optional[_Union[DigestStart, _Mapping]] = ..., body: _Optional[bytes] = ...) -> None: ...

class DigestStart(_message.Message):
    __slots__ = ("decision", "receipt", "entry", "header", "signature")
    DECISION_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    ENTRY_FIELD_NUMBER: _ClassVar[int]
    HEADER_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    decision: _envelope_pb2.Decision
    receipt: _envelope_pb2.Receipt
    entry: bytes
    header: bytes
    signature: bytes
    def __init__(self, decision: _Optional[_Union[_envelope_pb2.Decision, _Mapping]] = ..., receipt: _Optional[_Union[_envelope_pb2.Receipt, _Mapping]] = ..., entry: _Optional[bytes] = ..., header: _Optional[bytes] = ..., signature: _Optional[bytes] = ...) -> None: ...

class ReceiveRequest(_message.Message):
    __slots__ = ("follow",)
    FOLLOW_FIELD_NUMBER: _ClassVar[int]
    follow: bool
    def __init__(self, follow: _Optional[bool] = ...) -> None: ...

class ReceiveResponse(_message.Message):
    __slots__ = ("deliveries", "caught_up")
    DELIVERIES_FIELD_NUMBER: _ClassVar[int]
    CAUGHT_UP_FIELD_NUMBER: _ClassVar[int]
    deliveries: _containers.RepeatedCompositeFieldContainer[Delivery]
    caught_up: bool
    def __init__(self, deliveries: _Optional[_Iterable[_Union[Delivery, _Mapping]]] = ..., caught_up: _Optional[bool] = ...) -> None: ...

class Delivery(_message.Message):
    __slots__ = ("log_index", "envelope", "entry", "receipt", "redaction")
    LOG_INDEX_FIELD_NUMBER: _ClassVar[int]
    ENVELOPE_FIELD_NUMBER: _ClassVar[int]
    ENTRY_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    REDACTION_FIELD_NUMBER: _ClassVar[int]
    log_index: int
    envelope: _envelope_pb2.Envelope
    entry: bytes
    receipt: _envelope_pb2.Receipt
    redaction: _envelope_pb2.RedactionReceipt
    def __init__(self, log_index: _Optional[int] = ..., envelope: _Optional[_Union[_envelope_pb2.Envelope, _Mapping]] = ..., entry: _Optional[bytes] = ..., receipt: _Optional[_Union[_envelope_pb2.Receipt, _Mapping]] = ..., redaction: _Optional[_Union[_envelope_pb2.RedactionReceipt, _Mapping]] = ...) -> None: ...

class AcknowledgeRequest(_message.Message):
    __slots__ = ("log_indexes",)
    LOG_INDEXES_FIELD_NUMBER: _ClassVar[int]
    log_indexes: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, log_indexes: _Optional[_Iterable[int]] = ...) -> None: ...

class AcknowledgeResponse(_message.Message):
    __slots__ = ("acknowledged", "already", "unknown", "ended")
    ACKNOWLEDGED_FIELD_NUMBER: _ClassVar[int]
    ALREADY_FIELD_NUMBER: _ClassVar[int]
    UNKNOWN_FIELD_NUMBER: _ClassVar[int]
    ENDED_FIELD_NUMBER: _ClassVar[int]
    acknowledged: int
    already: int
    unknown: _containers.RepeatedScalarFieldContainer[int]
    ended: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, acknowledged: _Optional[int] = ..., already: _Optional[int] = ..., unknown: _Optional[_Iterable[int]] = ..., ended: _Optional[_Iterable[int]] = ...) -> None: ...
