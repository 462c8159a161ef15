# SPDX-License-Identifier: EUPL-1.2
"""Pseudonyms: one per subject and pseudonymisation domain, made with two evaluators that hold a key each.

    input     = lp(type, value)                                      identifiers.Identifier.oprf_input
    domain    = lp("sluis/v1/domain", agreement, recipient, epoch)   info of RFC 9497 DeriveKeyPair
    blinded   = RFC 9497 Blind(input)                                the same bytes to every evaluator
    pseudonym = Finalize(input, blind, Z1 + Z2)[0:16]                Z_i by evaluator i, proof checked

The output is RFC 9497's (VOPRF, ristretto255-SHA512) under the key k1 + k2, which nobody holds:
neither evaluator learns the subject, and neither can make a pseudonym alone. Sending the
elements is the client's work (sluis.client); the shares come from the key log (sluis.keylog).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, NewType

from sluis import oprf
from sluis.encoding import Reader, lp
from sluis.errors import InvalidInput, NotAuthentic
from sluis.identifiers import Identifier, Oin
from sluis.ristretto255 import Element, SecretScalars, add_each, check_element, count_elements

Pseudonym = NewType("Pseudonym", bytes)

PSEUDONYM_SIZE: Final = 16
EVALUATORS: Final = 2
_DOMAIN_LABEL: Final = b"sluis/v1/domain"
_AGREEMENT: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_EPOCH: Final = re.compile(r"[A-Za-z0-9-]{1,16}")


def check_epoch(epoch: str) -> str:
    """Return the epoch's name; InvalidInput `unknown-epoch` unless 1-16 of A-Z a-z 0-9 and hyphen."""
    if not _EPOCH.fullmatch(epoch):
        raise InvalidInput("unknown-epoch", "an epoch has 1 to 16 letters, digits or hyphens")
    return epoch


def check_pseudonym(data: bytes) -> Pseudonym:
    """Return `data` as a pseudonym; InvalidInput unless it has 16 bytes."""
    if len(data) != PSEUDONYM_SIZE:
        raise InvalidInput("malformed-request", "a pseudonym has 16 bytes")
    return Pseudonym(data)


@dataclass(frozen=True, slots=True, kw_only=True)
class PseudonymisationDomain:
    """Within which pseudonyms are equal: one agreement, one recipient, one epoch."""

    agreement: str
    recipient: Oin
    epoch: str

    def __post_init__(self) -> None:
        if not _AGREEMENT.fullmatch(self.agreement):
            raise InvalidInput("unknown-agreement", "an agreement's name has another form")
        if not isinstance(self.recipient, Oin):
            raise InvalidInput("malformed-request", "the recipient of a domain is an OIN")
        check_epoch(self.epoch)

    def info(self) -> bytes:
        """Return the domain's bytes: lp("sluis/v1/domain", agreement, recipient, epoch)."""
        return lp(_DOMAIN_LABEL, self.agreement, self.recipient, self.epoch)

    @classmethod
    def from_info(cls, info: bytes) -> "PseudonymisationDomain":
        """Read what `info` wrote; InvalidInput on anything else."""
        reader = Reader(info)
        if reader.part() != _DOMAIN_LABEL:
            raise InvalidInput("malformed-encoding", "not a pseudonymisation domain")
        agreement, recipient, epoch = reader.text(), reader.text(), reader.text()
        reader.end()
        return cls(agreement=agreement, recipient=Oin(recipient), epoch=epoch)


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluatorShare:
    """One evaluator's answer in one domain: its public share there, the elements and their proof."""

    public: Element
    evaluated: bytes
    proof: bytes

    def __post_init__(self) -> None:
        check_element(self.public)
        count_elements(self.evaluated)


@dataclass(frozen=True, slots=True, kw_only=True)
class BlindedBatch:
    """Blinded identifiers: `elements` goes to every evaluator, the rest stays here.

    One batch serves every domain and epoch: `finish` it once for each.
    """

    elements: bytes
    _inputs: tuple[bytes, ...] = field(repr=False)
    _blinds: SecretScalars = field(repr=False)
    _evaluators: int

    def __len__(self) -> int:
        return len(self._inputs)

    def finish(self, shares: Sequence[EvaluatorShare], *, verify: bool = True) -> list[Pseudonym]:
        """Add the evaluators' elements and unblind: one pseudonym per identifier, in order.

        Without `verify` the proofs are not checked: the documented option of large queries.
        Raises NotAuthentic `proof-wrong`, InvalidInput for a missing share or a bad element.
        """
        if len(shares) != self._evaluators:
            raise InvalidInput("malformed-request", f"{self._evaluators} evaluators' shares are due")
        if len({share.public for share in shares}) != len(shares):
            raise NotAuthentic("proof-wrong", "two evaluators show the same public share")
        for share in shares:
            if len(share.evaluated) != len(self.elements):
                raise InvalidInput("malformed-element", "an evaluator answered another number of elements")
            if verify:
                oprf.verify_proof(share.public, self.elements, share.evaluated, share.proof)
        total = shares[0].evaluated
        for share in shares[1:]:
            total = add_each(total, share.evaluated)
        outputs = oprf.finalize_batch(self._inputs, self._blinds, total)
        return [Pseudonym(output[:PSEUDONYM_SIZE]) for output in outputs]


def blind_identifiers(identifiers: Sequence[Identifier], *, evaluators: int = EVALUATORS) -> BlindedBatch:
    """Blind 1 to 65,535 identifiers for this many evaluators, two at least."""
    if evaluators < EVALUATORS:
        raise InvalidInput("malformed-config", "pseudonyms need two evaluators at least")
    inputs = tuple(identifier.oprf_input() for identifier in identifiers)
    blinds, elements = oprf.blind_batch(inputs)
    return BlindedBatch(elements=elements, _inputs=inputs, _blinds=blinds, _evaluators=evaluators)
