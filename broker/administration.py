# SPDX-License-Identifier: EUPL-1.2
"""What changes who may act: admitting participants, stopping and resuming, key publications.

Each is an entry in the same log as the exchanges. The operator's acts run at the broker's host
(`sluis broker admit|stop|resume|revoke`), evaluators publish their keys over the wire.
"""

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509

from broker.admission import Admitted, admit
from broker.cards import CARD, digest_of
from broker.signer import ReceiptSigner
from broker.step import Needs, Step
from broker.storage.epoch_port import CardRow
from broker.storage.port import DomainKeyRow, PartyRow, PartyStatus, Stop, Store
from sluis.cards import PartyCard
from sluis.errors import Conflict, InvalidInput, NotFound, NotPermitted
from sluis.keylog import KeyPublication
from sluis.policy.bundle import Bundle
from sluis.v1 import directory_pb2, pseudonym_pb2

_FINGERPRINT = re.compile(r"[0-9a-f]{64}")


class Operator:
    """Acts of the broker's operator, straight on the store; a running broker sees them at once."""

    def __init__(self, store: Store, bundle: Bundle, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._bundle = bundle
        self._clock = clock

    def admit(self, card_bytes: bytes, role: str, roots: Sequence[x509.Certificate]) -> PartyRow:
        """Register a participant, or renew the card of one; one that was stopped stays so.

        Raises NotAuthentic for a card that does not hold, InvalidInput `unknown-value` for a role that is not in
        the catalogue, Conflict when the role would change, NotPermitted `certificate-revoked` for a revoked card.
        """
        if role not in self._bundle.catalog.roles:
            raise InvalidInput("unknown-value", "the catalogue has no such role", where="role")
        card = PartyCard.parse(card_bytes)
        card.verify(roots, self._clock())
        with self._store.transaction() as tx:
            step = Step(tx, self._clock(), [Needs(parties=frozenset({card.oin}))])
            known = step.party(card.oin)
            if known and known.role != role:
                raise Conflict("party-exists", f"this OIN is registered with the role `{known.role}`")
            if step.stopped(CARD, digest_of(card_bytes)):
                raise NotPermitted("certificate-revoked", "this card was revoked: new keys are due")
            if known and known.card == card_bytes:
                return known
            status = known.status if known else PartyStatus.ACTIVE
            row = PartyRow(oin=card.oin, name=card.name, role=role, status=status, card=card_bytes)
            tx.put_party(row)
            entry = {"operation": "party.admit", "party": card.oin, "role": role}
            logged = step.log({**entry, "card": digest_of(card_bytes)})
            tx.epochs.put_card(CardRow(log_index=logged.index, oin=card.oin, card=card_bytes))
            tx.commit()
        return row

    def set_status(self, oin: str, status: PartyStatus, reason: str) -> None:
        """Stop or resume a participant. Raises NotFound for an unknown OIN."""
        with self._store.transaction() as tx:
            step = Step(tx, self._clock(), [Needs(parties=frozenset({oin}))])
            known = step.party(oin)
            if known is None:
                raise NotFound("not-found", "no participant has this OIN")
            tx.put_party(PartyRow(oin=oin, name=known.name, role=known.role, status=status, card=known.card))
            operation = "party.stop" if status is PartyStatus.STOPPED else "party.resume"
            step.log({"operation": operation, "party": oin, "reason": reason})
            tx.commit()

    def stop(self, scope: str, target: str, reason: str) -> None:
        """Stop an agreement, a rule or a certificate (SHA-256 of its DER in hex).

        Raises InvalidInput or NotFound for a target that no exchange could ever meet: a slip of the pen must not
        pass for a stop.
        """
        self._check_target(scope, target)
        with self._store.transaction() as tx:
            step = Step(tx, self._clock(), [])
            logged = step.log({"operation": "stop.set", "scope": scope, "target": target, "reason": reason})
            tx.add_stop(Stop(scope=scope, target=target), logged.index)
            tx.commit()

    def resume(self, scope: str, target: str, reason: str) -> None:
        """Lift a stop. Raises NotFound when there is none."""
        with self._store.transaction() as tx:
            step = Step(tx, self._clock(), [])
            if not step.stopped(scope, target):
                raise NotFound("not-found", "there is no such stop")
            step.log({"operation": "stop.lift", "scope": scope, "target": target, "reason": reason})
            tx.remove_stop(Stop(scope=scope, target=target))
            tx.commit()

    def _check_target(self, scope: str, target: str) -> None:
        if scope not in ("agreement", "rule", "certificate"):
            raise InvalidInput("unknown-value", "a stop is for an agreement, a rule or a certificate")
        if scope == "certificate" and not _FINGERPRINT.fullmatch(target):
            raise InvalidInput("malformed-request", "64 characters of 0-9 a-f are due", where="target")
        known = {"agreement": self._bundle.agreements, "rule": self._bundle.rules}
        if scope in known and target not in known[scope]:
            raise NotFound("not-found", f"the rules have no such {scope}", where="target")


@dataclass(frozen=True, slots=True)
class PublishDomainKey:
    """An evaluator enters the public share of a domain into the log; the same share again changes nothing."""

    evaluator: Admitted
    message: pseudonym_pb2.KeyPublication
    signer: ReceiptSigner
    publication: KeyPublication

    @classmethod
    def checked(
        cls, evaluator: Admitted, message: pseudonym_pb2.KeyPublication, signer: ReceiptSigner
    ) -> "PublishDomainKey":
        """Check signature and proof of possession. Raises NotAuthentic, NotPermitted."""
        publication = KeyPublication.from_bytes(
            message.statement, message.proof_of_possession, message.signature
        )
        if publication.evaluator != evaluator.oin:
            raise NotPermitted("not-your-identity")
        publication.verify(evaluator.card.signing_key)
        return cls(evaluator, message, signer, publication)

    def needs(self) -> Needs:
        """The evaluator itself."""
        return Needs(parties=frozenset({self.evaluator.oin}))

    def settle(self, step: Step) -> directory_pb2.PublishDomainKeyResponse:
        """Log the publication. Raises Conflict `key-changed` for another share in the same domain."""
        admit(step, self.evaluator)
        domain = self.publication.domain
        place = (domain.agreement, domain.recipient, domain.epoch, self.evaluator.oin)
        known = step.tx.domain_key(*place)
        if known is not None:
            return self._known(known)
        logged = step.log(
            {
                "operation": "key.publish",
                "evaluator": self.evaluator.oin,
                "agreement": domain.agreement,
                "recipient": domain.recipient,
                "epoch": domain.epoch,
                "publication": hashlib.sha256(self.message.statement).hexdigest(),
            }
        )
        step.tx.add_domain_key(
            DomainKeyRow(
                agreement=domain.agreement,
                recipient=domain.recipient,
                epoch=domain.epoch,
                evaluator=self.evaluator.oin,
                publication=self.message.SerializeToString(),
                log_index=logged.index,
            )
        )
        return directory_pb2.PublishDomainKeyResponse(receipt=self.signer.receipt(logged.index, logged.leaf))

    def _known(self, known: DomainKeyRow) -> directory_pb2.PublishDomainKeyResponse:
        before = pseudonym_pb2.KeyPublication.FromString(known.publication)
        earlier = KeyPublication.from_bytes(before.statement, before.proof_of_possession, before.signature)
        if earlier.public != self.publication.public:
            raise Conflict("key-changed", "another key of this evaluator is in the log for this domain")
        return directory_pb2.PublishDomainKeyResponse()
