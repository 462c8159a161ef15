from sluis.v1 import envelope_pb2 as _envelope_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class LoadRequest(_message.Message):
    __slots__ = ("start", "batch", "finish")
    START_FIELD_NUMBER: _ClassVar[int]
    BATCH_FIELD_NUMBER: _ClassVar[int]
    FINISH_FIELD_NUMBER: _ClassVar[int]
    start: LoadStart
    batch: LoadBatch
    finish: LoadFinish
    def __init__(self, start: _Optional[_Union[LoadStart, _Mapping]] = ..., batch: _Optional[_Union[LoadBatch, _Mapping]] = ..., finish: _Optional[_Union[LoadFinish, _Mapping]] = ...) -> None: ...

class LoadStart(_message.Message):
    __slots__ = ("idempotency_key", "header", "kind", "purpose")
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    HEADER_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    PURPOSE_FIELD_NUMBER: _ClassVar[int]
    idempotency_key: str
    header: bytes
    kind: str
    purpose: str
    def __init__(self, idempotency_key: _Optional[str] = ..., header: _Optional[bytes] = ..., kind: _Optional[str] = ..., purpose: _Optional[str] = ...) -> None: ...

class LoadBatch(_message.Message):
    __slots__ = ("entries",)
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    entries: _containers.RepeatedCompositeFieldContainer[RegisterEntry]
    def __init__(self, entries: _Optional[_Iterable[_Union[RegisterEntry, _Mapping]]] = ...) -> None: ...

class RegisterEntry(_message.Message):
    __slots__ = ("pseudonym", "valid_from", "valid_until")
    PSEUDONYM_FIELD_NUMBER: _ClassVar[int]
    VALID_FROM_FIELD_NUMBER: _ClassVar[int]
    VALID_UNTIL_FIELD_NUMBER: _ClassVar[int]
    pseudonym: bytes
    valid_from: str
    valid_until: str
    def __init__(self, pseudonym: _Optional[bytes] = ..., valid_from: _Optional[str] = ..., valid_until: _Optional[str] = ...) -> None: ...

class LoadFinish(_message.Message):
    __slots__ = ("signature",)
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    signature: bytes
    def __init__(self, signature: _Optional[bytes] = ...) -> None: ...

class LoadResponse(_message.Message):
    __slots__ = ("decision", "entries", "receipt", "entry")
    DECISION_FIELD_NUMBER: _ClassVar[int]
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    ENTRY_FIELD_NUMBER: _ClassVar[int]
    decision: _envelope_pb2.Decision
    entries: int
    receipt: _envelope_pb2.Receipt
    entry: bytes
    def __init__(self, decision: _Optional[_Union[_envelope_pb2.Decision, _Mapping]] = ..., entries: _Optional[int] = ..., receipt: _Optional[_Union[_envelope_pb2.Receipt, _Mapping]] = ..., entry: _Optional[bytes] = ...) -> None: ...

class WatchRequest(_message.Message):
    __slots__ = ("part",)
    PART_FIELD_NUMBER: _ClassVar[int]
    part: LoadRequest
    def __init__(self, part: _Optional[_Union[LoadRequest, _Mapping]] = ...) -> None: ...

class WatchResponse(_message.Message):
    __slots__ = ("answer",)
    ANSWER_FIELD_NUMBER: _ClassVar[int]
    answer: LoadResponse
    def __init__(self, answer: _Optional[_Union[LoadResponse, _Mapping]] = ...) -> None: ...

class ListWatchesRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListWatchesResponse(_message.Message):
    __slots__ = ("lists",)
    LISTS_FIELD_NUMBER: _ClassVar[int]
    lists: _containers.RepeatedCompositeFieldContainer[WatchList]
    def __init__(self, lists: _Optional[_Iterable[_Union[WatchList, _Mapping]]] = ...) -> None: ...

class WatchList(_message.Message):
    __slots__ = ("agreement", "name", "epoch", "entries", "valid_until", "log_index")
    AGREEMENT_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    VALID_UNTIL_FIELD_NUMBER: _ClassVar[int]
    LOG_INDEX_FIELD_NUMBER: _ClassVar[int]
    agreement: str
    name: str
    epoch: str
    entries: int
    valid_until: str
    log_index: int
    def __init__(self, agreement: _Optional[str] = ..., name: _Optional[str] = ..., epoch: _Optional[str] = ..., entries: _Optional[int] = ..., valid_until: _Optional[str] = ..., log_index: _Optional[int] = ...) -> None: ...
