from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class EvaluateRequest(_message.Message):
    __slots__ = ("agreement", "recipient_oin", "epochs", "blinded_elements")
    AGREEMENT_FIELD_NUMBER: _ClassVar[int]
    RECIPIENT_OIN_FIELD_NUMBER: _ClassVar[int]
    EPOCHS_FIELD_NUMBER: _ClassVar[int]
    BLINDED_ELEMENTS_FIELD_NUMBER: _ClassVar[int]
    agreement: str
    recipient_oin: str
    epochs: _containers.RepeatedScalarFieldContainer[str]
    blinded_elements: bytes
    def __init__(self, agreement: _Optional[str] = ..., recipient_oin: _Optional[str] = ..., epochs: _Optional[_Iterable[str]] = ..., blinded_elements: _Optional[bytes] = ...) -> None: ...

class EvaluateResponse(_message.Message):
    __slots__ = ("evaluations", "remaining_budget")
    EVALUATIONS_FIELD_NUMBER: _ClassVar[int]
    REMAINING_BUDGET_FIELD_NUMBER: _ClassVar[int]
    evaluations: _containers.RepeatedCompositeFieldContainer[EpochEvaluation]
    remaining_budget: int
    def __init__(self, evaluations: _Optional[_Iterable[_Union[EpochEvaluation, _Mapping]]] = ..., remaining_budget: _Optional[int] = ...) -> None: ...

class EpochEvaluation(_message.Message):
    __slots__ = ("epoch", "evaluated_elements", "proof")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    EVALUATED_ELEMENTS_FIELD_NUMBER: _ClassVar[int]
    PROOF_FIELD_NUMBER: _ClassVar[int]
    epoch: str
    evaluated_elements: bytes
    proof: bytes
    def __init__(self, epoch: _Optional[str] = ..., evaluated_elements: _Optional[bytes] = ..., proof: _Optional[bytes] = ...) -> None: ...

class ListKeysRequest(_message.Message):
    __slots__ = ("agreement", "recipient_oin")
    AGREEMENT_FIELD_NUMBER: _ClassVar[int]
    RECIPIENT_OIN_FIELD_NUMBER: _ClassVar[int]
    agreement: str
    recipient_oin: str
    def __init__(self, agreement: _Optional[str] = ..., recipient_oin: _Optional[str] = ...) -> None: ...

class ListKeysResponse(_message.Message):
    __slots__ = ("publications",)
    PUBLICATIONS_FIELD_NUMBER: _ClassVar[int]
    publications: _containers.RepeatedCompositeFieldContainer[KeyPublication]
    def __init__(self, publications: _Optional[_Iterable[_Union[KeyPublication, _Mapping]]] = ...) -> None: ...

class KeyPublication(_message.Message):
    __slots__ = ("statement", "proof_of_possession", "signature")
    STATEMENT_FIELD_NUMBER: _ClassVar[int]
    PROOF_OF_POSSESSION_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    statement: bytes
    proof_of_possession: bytes
    signature: bytes
    def __init__(self, statement: _Optional[bytes] = ..., proof_of_possession: _Optional[bytes] = ..., signature: _Optional[bytes] = ...) -> None: ...
