from sluis.v1 import envelope_pb2 as _envelope_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GetPolicyRequest(_message.Message):
    __slots__ = ("digest",)
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    digest: str
    def __init__(self, digest: _Optional[str] = ...) -> None: ...

class GetPolicyResponse(_message.Message):
    __slots__ = ("digest", "archive", "log_index", "activated_at_ms")
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    ARCHIVE_FIELD_NUMBER: _ClassVar[int]
    LOG_INDEX_FIELD_NUMBER: _ClassVar[int]
    ACTIVATED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    digest: str
    archive: bytes
    log_index: int
    activated_at_ms: int
    def __init__(self, digest: _Optional[str] = ..., archive: _Optional[bytes] = ..., log_index: _Optional[int] = ..., activated_at_ms: _Optional[int] = ...) -> None: ...

class ExplainRequest(_message.Message):
    __slots__ = ("operation", "agreement", "recipient_oin", "kind", "purpose", "fields", "claims", "suppose", "strict", "delivery", "subjects")
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
    SUBJECTS_FIELD_NUMBER: _ClassVar[int]
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
    subjects: int
    def __init__(self, operation: _Optional[str] = ..., agreement: _Optional[str] = ..., recipient_oin: _Optional[str] = ..., kind: _Optional[str] = ..., purpose: _Optional[str] = ..., fields: _Optional[_Iterable[_Union[ExplainField, _Mapping]]] = ..., claims: _Optional[_Mapping[str, str]] = ..., suppose: _Optional[_Iterable[str]] = ..., strict: _Optional[bool] = ..., delivery: _Optional[str] = ..., subjects: _Optional[int] = ...) -> None: ...

class ExplainField(_message.Message):
    __slots__ = ("name", "category")
    NAME_FIELD_NUMBER: _ClassVar[int]
    CATEGORY_FIELD_NUMBER: _ClassVar[int]
    name: str
    category: str
    def __init__(self, name: _Optional[str] = ..., category: _Optional[str] = ...) -> None: ...

class ExplainResponse(_message.Message):
    __slots__ = ("decision", "dutch", "english", "near_misses")
    DECISION_FIELD_NUMBER: _ClassVar[int]
    DUTCH_FIELD_NUMBER: _ClassVar[int]
    ENGLISH_FIELD_NUMBER: _ClassVar[int]
    NEAR_MISSES_FIELD_NUMBER: _ClassVar[int]
    decision: _envelope_pb2.Decision
    dutch: str
    english: str
    near_misses: _containers.RepeatedCompositeFieldContainer[NearMiss]
    def __init__(self, decision: _Optional[_Union[_envelope_pb2.Decision, _Mapping]] = ..., dutch: _Optional[str] = ..., english: _Optional[str] = ..., near_misses: _Optional[_Iterable[_Union[NearMiss, _Mapping]]] = ...) -> None: ...

class NearMiss(_message.Message):
    __slots__ = ("rule_id", "missing", "dutch", "english")
    RULE_ID_FIELD_NUMBER: _ClassVar[int]
    MISSING_FIELD_NUMBER: _ClassVar[int]
    DUTCH_FIELD_NUMBER: _ClassVar[int]
    ENGLISH_FIELD_NUMBER: _ClassVar[int]
    rule_id: str
    missing: _containers.RepeatedCompositeFieldContainer[_envelope_pb2.Reason]
    dutch: str
    english: str
    def __init__(self, rule_id: _Optional[str] = ..., missing: _Optional[_Iterable[_Union[_envelope_pb2.Reason, _Mapping]]] = ..., dutch: _Optional[str] = ..., english: _Optional[str] = ...) -> None: ...
