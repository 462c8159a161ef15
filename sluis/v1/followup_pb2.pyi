from sluis.v1 import directory_pb2 as _directory_pb2
from sluis.v1 import envelope_pb2 as _envelope_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SignedFollowUp(_message.Message):
    __slots__ = ("statement", "signature")
    STATEMENT_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    statement: bytes
    signature: bytes
    def __init__(self, statement: _Optional[bytes] = ..., signature: _Optional[bytes] = ...) -> None: ...

class SendFollowUpRequest(_message.Message):
    __slots__ = ("idempotency_key", "follow_up", "replacement")
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    FOLLOW_UP_FIELD_NUMBER: _ClassVar[int]
    REPLACEMENT_FIELD_NUMBER: _ClassVar[int]
    idempotency_key: str
    follow_up: SignedFollowUp
    replacement: _envelope_pb2.Envelope
    def __init__(self, idempotency_key: _Optional[str] = ..., follow_up: _Optional[_Union[SignedFollowUp, _Mapping]] = ..., replacement: _Optional[_Union[_envelope_pb2.Envelope, _Mapping]] = ...) -> None: ...

class SendFollowUpResponse(_message.Message):
    __slots__ = ("decision", "receipt", "entry", "holders", "replacement_entry", "replacement_receipt", "repeated_request")
    DECISION_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    ENTRY_FIELD_NUMBER: _ClassVar[int]
    HOLDERS_FIELD_NUMBER: _ClassVar[int]
    REPLACEMENT_ENTRY_FIELD_NUMBER: _ClassVar[int]
    REPLACEMENT_RECEIPT_FIELD_NUMBER: _ClassVar[int]
    REPEATED_REQUEST_FIELD_NUMBER: _ClassVar[int]
    decision: _envelope_pb2.Decision
    receipt: _envelope_pb2.Receipt
    entry: bytes
    holders: int
    replacement_entry: bytes
    replacement_receipt: _envelope_pb2.Receipt
    repeated_request: bool
    def __init__(self, decision: _Optional[_Union[_envelope_pb2.Decision, _Mapping]] = ..., receipt: _Optional[_Union[_envelope_pb2.Receipt, _Mapping]] = ..., entry: _Optional[bytes] = ..., holders: _Optional[int] = ..., replacement_entry: _Optional[bytes] = ..., replacement_receipt: _Optional[_Union[_envelope_pb2.Receipt, _Mapping]] = ..., repeated_request: _Optional[bool] = ...) -> None: ...

class ReceiveFollowUpsRequest(_message.Message):
    __slots__ = ("follow",)
    FOLLOW_FIELD_NUMBER: _ClassVar[int]
    follow: bool
    def __init__(self, follow: _Optional[bool] = ...) -> None: ...

class ReceiveFollowUpsResponse(_message.Message):
    __slots__ = ("deliveries", "caught_up")
    DELIVERIES_FIELD_NUMBER: _ClassVar[int]
    CAUGHT_UP_FIELD_NUMBER: _ClassVar[int]
    deliveries: _containers.RepeatedCompositeFieldContainer[FollowUpDelivery]
    caught_up: bool
    def __init__(self, deliveries: _Optional[_Iterable[_Union[FollowUpDelivery, _Mapping]]] = ..., caught_up: _Optional[bool] = ...) -> None: ...

class FollowUpDelivery(_message.Message):
    __slots__ = ("log_index", "follow_up", "entry", "receipt", "signal_id", "links")
    LOG_INDEX_FIELD_NUMBER: _ClassVar[int]
    FOLLOW_UP_FIELD_NUMBER: _ClassVar[int]
    ENTRY_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    SIGNAL_ID_FIELD_NUMBER: _ClassVar[int]
    LINKS_FIELD_NUMBER: _ClassVar[int]
    log_index: int
    follow_up: SignedFollowUp
    entry: bytes
    receipt: _envelope_pb2.Receipt
    signal_id: bytes
    links: _containers.RepeatedCompositeFieldContainer[_directory_pb2.LoggedEntry]
    def __init__(self, log_index: _Optional[int] = ..., follow_up: _Optional[_Union[SignedFollowUp, _Mapping]] = ..., entry: _Optional[bytes] = ..., receipt: _Optional[_Union[_envelope_pb2.Receipt, _Mapping]] = ..., signal_id: _Optional[bytes] = ..., links: _Optional[_Iterable[_Union[_directory_pb2.LoggedEntry, _Mapping]]] = ...) -> None: ...

class AcknowledgeFollowUpsRequest(_message.Message):
    __slots__ = ("log_indexes",)
    LOG_INDEXES_FIELD_NUMBER: _ClassVar[int]
    log_indexes: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, log_indexes: _Optional[_Iterable[int]] = ...) -> None: ...

class AcknowledgeFollowUpsResponse(_message.Message):
    __slots__ = ("acknowledged", "already", "unknown")
    ACKNOWLEDGED_FIELD_NUMBER: _ClassVar[int]
    ALREADY_FIELD_NUMBER: _ClassVar[int]
    UNKNOWN_FIELD_NUMBER: _ClassVar[int]
    acknowledged: int
    already: int
    unknown: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, acknowledged: _Optional[int] = ..., already: _Optional[int] = ..., unknown: _Optional[_Iterable[int]] = ...) -> None: ...

class ListDutiesRequest(_message.Message):
    __slots__ = ("overdue_only", "page_size", "page_token")
    OVERDUE_ONLY_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    overdue_only: bool
    page_size: int
    page_token: str
    def __init__(self, overdue_only: _Optional[bool] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListDutiesResponse(_message.Message):
    __slots__ = ("duties", "next_page_token")
    DUTIES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    duties: _containers.RepeatedCompositeFieldContainer[Duty]
    next_page_token: str
    def __init__(self, duties: _Optional[_Iterable[_Union[Duty, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class Duty(_message.Message):
    __slots__ = ("log_index", "act", "debtor_oin", "creditor_oin", "signal_id", "follow_up_id", "due_at_ms", "overdue")
    LOG_INDEX_FIELD_NUMBER: _ClassVar[int]
    ACT_FIELD_NUMBER: _ClassVar[int]
    DEBTOR_OIN_FIELD_NUMBER: _ClassVar[int]
    CREDITOR_OIN_FIELD_NUMBER: _ClassVar[int]
    SIGNAL_ID_FIELD_NUMBER: _ClassVar[int]
    FOLLOW_UP_ID_FIELD_NUMBER: _ClassVar[int]
    DUE_AT_MS_FIELD_NUMBER: _ClassVar[int]
    OVERDUE_FIELD_NUMBER: _ClassVar[int]
    log_index: int
    act: str
    debtor_oin: str
    creditor_oin: str
    signal_id: bytes
    follow_up_id: bytes
    due_at_ms: int
    overdue: bool
    def __init__(self, log_index: _Optional[int] = ..., act: _Optional[str] = ..., debtor_oin: _Optional[str] = ..., creditor_oin: _Optional[str] = ..., signal_id: _Optional[bytes] = ..., follow_up_id: _Optional[bytes] = ..., due_at_ms: _Optional[int] = ..., overdue: _Optional[bool] = ...) -> None: ...
