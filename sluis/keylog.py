# SPDX-License-Identifier: EUPL-1.2
"""The evaluators' public shares: signed publications, and the log a client pins them in.

    statement  = lp("sluis/v1/domain-key", evaluator, agreement, recipient, epoch, pk, u64 created_at_ms)
    X          = HashToGroup(lp("sluis/v1/possession", statement))           (VOPRF mode's label)
    possession = Y || c || s, where Y = k*X and c || s proves log_G(pk) = log_X(Y) (RFC 9497 2.2)
    signature  = Ed25519(evaluator, lp("sluis/v1/domain-key-signature", statement, possession))

Without proof of possession an evaluator could publish pk2 = pk' - pk1, so that k1 + k2 is a key
it knows alone. Without the log it could show each client another key, and tell them apart.
"""

from dataclasses import dataclass
from typing import Final

from sluis import oprf
from sluis.encoding import Reader, lp, u64
from sluis.errors import InvalidInput, NotAuthentic
from sluis.identifiers import Oin
from sluis.oprf import KeyPair
from sluis.pseudonyms import PseudonymisationDomain
from sluis.ristretto255 import SIZE, Element, check_element
from sluis.signing import SigningKey, VerifyKey

POSSESSION_SIZE: Final = SIZE + oprf.PROOF_SIZE
SIGNATURE_SIZE: Final = 64
_STATEMENT_LABEL: Final = b"sluis/v1/domain-key"
_POSSESSION_LABEL: Final = b"sluis/v1/possession"
_SIGNATURE_LABEL: Final = b"sluis/v1/domain-key-signature"


def _statement(evaluator: Oin, domain: PseudonymisationDomain, public: Element, created_at_ms: int) -> bytes:
    return lp(
        _STATEMENT_LABEL,
        evaluator,
        domain.agreement,
        domain.recipient,
        domain.epoch,
        public,
        u64(created_at_ms),
    )


def _challenge_point(statement: bytes) -> Element:
    return oprf.hash_to_group(lp(_POSSESSION_LABEL, statement))


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPublication:
    """An evaluator's public share for one domain; trust it only after `verify`."""

    evaluator: Oin
    domain: PseudonymisationDomain
    public: Element
    created_at_ms: int
    proof_of_possession: bytes
    signature: bytes

    def __post_init__(self) -> None:
        check_element(self.public)
        if not 0 <= self.created_at_ms < 1 << 64:
            raise InvalidInput("malformed-request", "a time of creation is out of range")
        if len(self.proof_of_possession) != POSSESSION_SIZE:
            raise InvalidInput("malformed-encoding", f"a proof of possession has {POSSESSION_SIZE} bytes")
        if len(self.signature) != SIGNATURE_SIZE:
            raise InvalidInput("malformed-encoding", f"a signature has {SIGNATURE_SIZE} bytes")

    @classmethod
    def create(
        cls,
        *,
        evaluator: Oin,
        domain: PseudonymisationDomain,
        keys: KeyPair,
        signing_key: SigningKey,
        created_at_ms: int,
    ) -> "KeyPublication":
        """Prove possession of a share and sign its publication."""
        statement = _statement(evaluator, domain, keys.public, created_at_ms)
        point = _challenge_point(statement)
        image = oprf.blind_evaluate(keys.secret, point)
        possession = image + oprf.generate_proof(keys, point, image)
        return cls(
            evaluator=evaluator,
            domain=domain,
            public=keys.public,
            created_at_ms=created_at_ms,
            proof_of_possession=possession,
            signature=signing_key.sign(lp(_SIGNATURE_LABEL, statement, possession)),
        )

    @classmethod
    def from_bytes(cls, statement: bytes, proof_of_possession: bytes, signature: bytes) -> "KeyPublication":
        """Read the three fields of the wire; InvalidInput unless they are canonical. Proves nothing yet."""
        reader = Reader(statement)
        if reader.part() != _STATEMENT_LABEL:
            raise InvalidInput("malformed-encoding", "not a statement about a domain's key")
        evaluator, agreement, recipient, epoch = (reader.text() for _ in range(4))
        public, created_at_ms = reader.part(length=SIZE), reader.u64()
        reader.end()
        domain = PseudonymisationDomain(agreement=agreement, recipient=Oin(recipient), epoch=epoch)
        return cls(
            evaluator=Oin(evaluator),
            domain=domain,
            public=check_element(public),
            created_at_ms=created_at_ms,
            proof_of_possession=proof_of_possession,
            signature=signature,
        )

    def statement(self) -> bytes:
        """Return the bytes that are proven and signed."""
        return _statement(self.evaluator, self.domain, self.public, self.created_at_ms)

    def verify(self, evaluator_signing_key: VerifyKey) -> None:
        """Check signature and possession; NotAuthentic `signature-wrong` or `proof-wrong`."""
        statement = self.statement()
        evaluator_signing_key.verify(
            lp(_SIGNATURE_LABEL, statement, self.proof_of_possession), self.signature
        )
        image, proof = self.proof_of_possession[:SIZE], self.proof_of_possession[SIZE:]
        try:
            oprf.verify_proof(self.public, _challenge_point(statement), image, proof)
        except InvalidInput:
            raise NotAuthentic("proof-wrong", "the proof of possession does not hold") from None


class KeyLog:
    """The publications a client has verified: one share per evaluator and domain, for good."""

    def __init__(self) -> None:
        """Start empty; `add` what was stored before, then what the evaluators show."""
        self._publications: dict[tuple[Oin, bytes], KeyPublication] = {}

    def add(self, publication: KeyPublication, evaluator_signing_key: VerifyKey) -> None:
        """Verify and pin; NotAuthentic `key-changed` when this domain had another key."""
        publication.verify(evaluator_signing_key)
        place = publication.evaluator, publication.domain.info()
        if self._publications.setdefault(place, publication).public != publication.public:
            raise NotAuthentic("key-changed", "an evaluator shows another key for a domain than before")

    def public(self, evaluator: Oin, domain: PseudonymisationDomain) -> Element:
        """Return the pinned share; NotAuthentic `key-not-logged` when there is none."""
        publication = self._publications.get((evaluator, domain.info()))
        if publication is None:
            raise NotAuthentic("key-not-logged")
        return publication.public
