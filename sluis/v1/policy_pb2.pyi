from sluis.v1 import envelope_pb2 as _envelope_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ExplainRequest(_message.Message):
    __slots__ = ("operation", "agreement", "recipient_oin", "kind", "purpose", "fields", "claims", "suppose", "strict", "delivery")
    class ClaimsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    OPERATION_FIELD_NUMBER: _ClassVar[int]
    AGREEMENT_FIELD_NUMBER: _ClassVar[int]
    RECIPIENT_OIN_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    PURPOSE_FIELD_NUMBER: _ClassVar[int]
    FIELDS_FIELD_NUMBER: _ClassVar[int]
    CLAIMS_FIELD_NUMBER: _ClassVar[int]
    SUPPOSE_FIELD_NUMBER: _ClassVar[int]
    STRICT_FIELD_NUMBER: _ClassVar[int]
    DELIVERY_FIELD_NUMBER: _ClassVar[int]
    operation: str
    agreement: str
    recipient_oin: str
    kind: str
    purpose: str
    fields: _containers.RepeatedCompositeFieldContainer[ExplainField]
    claims: _containers.ScalarMap[str, str]
    suppose: _containers.RepeatedScalarFieldContainer[str]
    strict: bool
    delivery: str
    def __init__(self, operation: _Optional[str] = ..., agreement: _Optional[str] = ..., recipient_oin: _Optional[str] = ..., kind: _Optional[str] = ..., purpose: _Optional[str] = ..., fields: _Optional[_Iterable[_Union[ExplainField, _Mapping]]] = ..., claims: _Optional[_Mapping[str, str]] = ..., suppose: _Optional[_Iterable[str]] = ..., strict: _Optional[bool] = ..., delivery: _Optional[str] = ...) -> None: ...

class ExplainField(_message.Message):
    __slots__ = ("name", "category")
    NAME_FIELD_NUMBER: _ClassVar[int]
    CATEGORY_FIELD_NUMBER: _ClassVar[int]
    name: str
    category: str
    def __init__(self, name: _Optional[str] = ..., category: _Optional[str] = ...) -> None: ...

class ExplainResponse(_message.Message):
    __slots__ = ("decision", "dutch", "english")
    DECISION_FIELD_NUMBER: _ClassVar[int]
    DUTCH_FIELD_NUMBER: _ClassVar[int]
    ENGLISH_FIELD_NUMBER: _ClassVar[int]
    decision: _envelope_pb2.Decision
    dutch: str
    english: str
    def __init__(self, decision: _Optional[_Union[_envelope_pb2.Decision, _Mapping]] = ..., dutch: _Optional[str] = ..., english: _Optional[str] = ...) -> None: ...
