from sluis.v1 import envelope_pb2 as _envelope_pb2
from sluis.v1 import pseudonym_pb2 as _pseudonym_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Party(_message.Message):
    __slots__ = ("oin", "name", "role", "active", "card")
    OIN_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    ACTIVE_FIELD_NUMBER: _ClassVar[int]
    CARD_FIELD_NUMBER: _ClassVar[int]
    oin: str
    name: str
    role: str
    active: bool
    card: bytes
    def __init__(self, oin: _Optional[str] = ..., name: _Optional[str] = ..., role: _Optional[str] = ..., active: _Optional[bool] = ..., card: _Optional[bytes] = ...) -> None: ...

class GetPartyRequest(_message.Message):
    __slots__ = ("oin",)
    OIN_FIELD_NUMBER: _ClassVar[int]
    oin: str
    def __init__(self, oin: _Optional[str] = ...) -> None: ...

class GetPartyResponse(_message.Message):
    __slots__ = ("party",)
    PARTY_FIELD_NUMBER: _ClassVar[int]
    party: Party
    def __init__(self, party: _Optional[_Union[Party, _Mapping]] = ...) -> None: ...

class ListPartiesRequest(_message.Message):
    __slots__ = ("page_size", "page_token", "role")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    role: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., role: _Optional[str] = ...) -> None: ...

class ListPartiesResponse(_message.Message):
    __slots__ = ("parties", "next_page_token")
    PARTIES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    parties: _containers.RepeatedCompositeFieldContainer[Party]
    next_page_token: str
    def __init__(self, parties: _Optional[_Iterable[_Union[Party, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class PublishDomainKeyRequest(_message.Message):
    __slots__ = ("publication",)
    PUBLICATION_FIELD_NUMBER: _ClassVar[int]
    publication: _pseudonym_pb2.KeyPublication
    def __init__(self, publication: _Optional[_Union[_pseudonym_pb2.KeyPublication, _Mapping]] = ...) -> None: ...

class PublishDomainKeyResponse(_message.Message):
    __slots__ = ("receipt",)
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    receipt: _envelope_pb2.Receipt
    def __init__(self, receipt: _Optional[_Union[_envelope_pb2.Receipt, _Mapping]] = ...) -> None: ...

class ListDomainKeysRequest(_message.Message):
    __slots__ = ("agreement", "recipient_oin", "epoch")
    AGREEMENT_FIELD_NUMBER: _ClassVar[int]
    RECIPIENT_OIN_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    agreement: str
    recipient_oin: str
    epoch: str
    def __init__(self, agreement: _Optional[str] = ..., recipient_oin: _Optional[str] = ..., epoch: _Optional[str] = ...) -> None: ...

class ListDomainKeysResponse(_message.Message):
    __slots__ = ("keys",)
    KEYS_FIELD_NUMBER: _ClassVar[int]
    keys: _containers.RepeatedCompositeFieldContainer[DomainKey]
    def __init__(self, keys: _Optional[_Iterable[_Union[DomainKey, _Mapping]]] = ...) -> None: ...

class DomainKey(_message.Message):
    __slots__ = ("publication", "entry", "receipt")
    PUBLICATION_FIELD_NUMBER: _ClassVar[int]
    ENTRY_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    publication: _pseudonym_pb2.KeyPublication
    entry: bytes
    receipt: _envelope_pb2.Receipt
    def __init__(self, publication: _Optional[_Union[_pseudonym_pb2.KeyPublication, _Mapping]] = ..., entry: _Optional[bytes] = ..., receipt: _Optional[_Union[_envelope_pb2.Receipt, _Mapping]] = ...) -> None: ...

class LoggedEntry(_message.Message):
    __slots__ = ("entry", "receipt")
    ENTRY_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    entry: bytes
    receipt: _envelope_pb2.Receipt
    def __init__(self, entry: _Optional[bytes] = ..., receipt: _Optional[_Union[_envelope_pb2.Receipt, _Mapping]] = ...) -> None: ...

class ListEpochsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListEpochsResponse(_message.Message):
    __slots__ = ("epochs",)
    EPOCHS_FIELD_NUMBER: _ClassVar[int]
    epochs: _containers.RepeatedCompositeFieldContainer[EpochRecord]
    def __init__(self, epochs: _Optional[_Iterable[_Union[EpochRecord, _Mapping]]] = ...) -> None: ...

class EpochRecord(_message.Message):
    __slots__ = ("name", "announced", "compromised", "retired", "destroyed")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ANNOUNCED_FIELD_NUMBER: _ClassVar[int]
    COMPROMISED_FIELD_NUMBER: _ClassVar[int]
    RETIRED_FIELD_NUMBER: _ClassVar[int]
    DESTROYED_FIELD_NUMBER: _ClassVar[int]
    name: str
    announced: LoggedEntry
    compromised: LoggedEntry
    retired: LoggedEntry
    destroyed: _containers.RepeatedCompositeFieldContainer[LoggedEntry]
    def __init__(self, name: _Optional[str] = ..., announced: _Optional[_Union[LoggedEntry, _Mapping]] = ..., compromised: _Optional[_Union[LoggedEntry, _Mapping]] = ..., retired: _Optional[_Union[LoggedEntry, _Mapping]] = ..., destroyed: _Optional[_Iterable[_Union[LoggedEntry, _Mapping]]] = ...) -> None: ...

class PublishKeyDestructionRequest(_message.Message):
    __slots__ = ("statement", "signature")
    STATEMENT_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    statement: bytes
    signature: bytes
    def __init__(self, statement: _Optional[bytes] = ..., signature: _Optional[bytes] = ...) -> None: ...

class PublishKeyDestructionResponse(_message.Message):
    __slots__ = ("logged",)
    LOGGED_FIELD_NUMBER: _ClassVar[int]
    logged: LoggedEntry
    def __init__(self, logged: _Optional[_Union[LoggedEntry, _Mapping]] = ...) -> None: ...

class ListCardsRequest(_message.Message):
    __slots__ = ("oin",)
    OIN_FIELD_NUMBER: _ClassVar[int]
    oin: str
    def __init__(self, oin: _Optional[str] = ...) -> None: ...

class ListCardsResponse(_message.Message):
    __slots__ = ("cards",)
    CARDS_FIELD_NUMBER: _ClassVar[int]
    cards: _containers.RepeatedCompositeFieldContainer[CardRecord]
    def __init__(self, cards: _Optional[_Iterable[_Union[CardRecord, _Mapping]]] = ...) -> None: ...

class CardRecord(_message.Message):
    __slots__ = ("card", "admitted", "revoked")
    CARD_FIELD_NUMBER: _ClassVar[int]
    ADMITTED_FIELD_NUMBER: _ClassVar[int]
    REVOKED_FIELD_NUMBER: _ClassVar[int]
    card: bytes
    admitted: LoggedEntry
    revoked: LoggedEntry
    def __init__(self, card: _Optional[bytes] = ..., admitted: _Optional[_Union[LoggedEntry, _Mapping]] = ..., revoked: _Optional[_Union[LoggedEntry, _Mapping]] = ...) -> None: ...

class CheckOldKeysRequest(_message.Message):
    __slots__ = ("before_log_index",)
    BEFORE_LOG_INDEX_FIELD_NUMBER: _ClassVar[int]
    before_log_index: int
    def __init__(self, before_log_index: _Optional[int] = ...) -> None: ...

class CheckOldKeysResponse(_message.Message):
    __slots__ = ("needed",)
    NEEDED_FIELD_NUMBER: _ClassVar[int]
    needed: bool
    def __init__(self, needed: _Optional[bool] = ...) -> None: ...
