from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Effect(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EFFECT_UNSPECIFIED: _ClassVar[Effect]
    EFFECT_PERMIT: _ClassVar[Effect]
    EFFECT_DENY: _ClassVar[Effect]
EFFECT_UNSPECIFIED: Effect
EFFECT_PERMIT: Effect
EFFECT_DENY: Effect

class Envelope(_message.Message):
    __slots__ = ("header", "fields", "wrapped_key", "signature")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    FIELDS_FIELD_NUMBER: _ClassVar[int]
    WRAPPED_KEY_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    header: bytes
    fields: _containers.RepeatedCompositeFieldContainer[SealedField]
    wrapped_key: bytes
    signature: bytes
    def __init__(self, header: _Optional[bytes] = ..., fields: _Optional[_Iterable[_Union[SealedField, _Mapping]]] = ..., wrapped_key: _Optional[bytes] = ..., signature: _Optional[bytes] = ...) -> None: ...

class SealedField(_message.Message):
    __slots__ = ("kept", "withheld_leaf")
    KEPT_FIELD_NUMBER: _ClassVar[int]
    WITHHELD_LEAF_FIELD_NUMBER: _ClassVar[int]
    kept: KeptField
    withheld_leaf: bytes
    def __init__(self, kept: _Optional[_Union[KeptField, _Mapping]] = ..., withheld_leaf: _Optional[bytes] = ...) -> None: ...

class KeptField(_message.Message):
    __slots__ = ("name", "category", "commitment", "ciphertext")
    NAME_FIELD_NUMBER: _ClassVar[int]
    CATEGORY_FIELD_NUMBER: _ClassVar[int]
    COMMITMENT_FIELD_NUMBER: _ClassVar[int]
    CIPHERTEXT_FIELD_NUMBER: _ClassVar[int]
    name: str
    category: str
    commitment: bytes
    ciphertext: bytes
    def __init__(self, name: _Optional[str] = ..., category: _Optional[str] = ..., commitment: _Optional[bytes] = ..., ciphertext: _Optional[bytes] = ...) -> None: ...

class Receipt(_message.Message):
    __slots__ = ("log_origin", "log_index", "leaf_hash", "signature")
    LOG_ORIGIN_FIELD_NUMBER: _ClassVar[int]
    LOG_INDEX_FIELD_NUMBER: _ClassVar[int]
    LEAF_HASH_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    log_origin: str
    log_index: int
    leaf_hash: bytes
    signature: bytes
    def __init__(self, log_origin: _Optional[str] = ..., log_index: _Optional[int] = ..., leaf_hash: _Optional[bytes] = ..., signature: _Optional[bytes] = ...) -> None: ...

class RedactionReceipt(_message.Message):
    __slots__ = ("withheld", "signature")
    WITHHELD_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    withheld: _containers.RepeatedCompositeFieldContainer[WithheldField]
    signature: bytes
    def __init__(self, withheld: _Optional[_Iterable[_Union[WithheldField, _Mapping]]] = ..., signature: _Optional[bytes] = ...) -> None: ...

class WithheldField(_message.Message):
    __slots__ = ("index", "reason", "rule_id")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    RULE_ID_FIELD_NUMBER: _ClassVar[int]
    index: int
    reason: str
    rule_id: str
    def __init__(self, index: _Optional[int] = ..., reason: _Optional[str] = ..., rule_id: _Optional[str] = ...) -> None: ...

class Decision(_message.Message):
    __slots__ = ("effect", "rule_ids", "reasons", "released", "withheld", "assumed", "policy_digest")
    EFFECT_FIELD_NUMBER: _ClassVar[int]
    RULE_IDS_FIELD_NUMBER: _ClassVar[int]
    REASONS_FIELD_NUMBER: _ClassVar[int]
    RELEASED_FIELD_NUMBER: _ClassVar[int]
    WITHHELD_FIELD_NUMBER: _ClassVar[int]
    ASSUMED_FIELD_NUMBER: _ClassVar[int]
    POLICY_DIGEST_FIELD_NUMBER: _ClassVar[int]
    effect: Effect
    rule_ids: _containers.RepeatedScalarFieldContainer[str]
    reasons: _containers.RepeatedCompositeFieldContainer[Reason]
    released: _containers.RepeatedScalarFieldContainer[str]
    withheld: _containers.RepeatedCompositeFieldContainer[DecidedField]
    assumed: bool
    policy_digest: str
    def __init__(self, effect: _Optional[_Union[Effect, str]] = ..., rule_ids: _Optional[_Iterable[str]] = ..., reasons: _Optional[_Iterable[_Union[Reason, _Mapping]]] = ..., released: _Optional[_Iterable[str]] = ..., withheld: _Optional[_Iterable[_Union[DecidedField, _Mapping]]] = ..., assumed: _Optional[bool] = ..., policy_digest: _Optional[str] = ...) -> None: ...

class Reason(_message.Message):
    __slots__ = ("code", "params")
    class ParamsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    CODE_FIELD_NUMBER: _ClassVar[int]
    PARAMS_FIELD_NUMBER: _ClassVar[int]
    code: str
    params: _containers.ScalarMap[str, str]
    def __init__(self, code: _Optional[str] = ..., params: _Optional[_Mapping[str, str]] = ...) -> None: ...

class DecidedField(_message.Message):
    __slots__ = ("name", "reason", "rule_id")
    NAME_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    RULE_ID_FIELD_NUMBER: _ClassVar[int]
    name: str
    reason: str
    rule_id: str
    def __init__(self, name: _Optional[str] = ..., reason: _Optional[str] = ..., rule_id: _Optional[str] = ...) -> None: ...

class ItemError(_message.Message):
    __slots__ = ("code", "message")
    CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    code: str
    message: str
    def __init__(self, code: _Optional[str] = ..., message: _Optional[str] = ...) -> None: ...
