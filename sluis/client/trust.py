# SPDX-License-Identifier: EUPL-1.2
"""What a kit takes on trust, and how it checks the rest.

On trust: the roots of the participants' certificates, the broker's receipt key, the log's and the witnesses'
verifier keys, from the settings. Checked: cards against the roots, receipts against the receipt key,
checkpoints against log and witnesses and against the last one seen, entries against a checkpoint.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from datetime import datetime

from cryptography import x509

from sluis.card_history import CardHistory, read_term
from sluis.cards import PartyCard
from sluis.checkpoint import Checkpoint, VerifiedCheckpoint, verify_log_signature
from sluis.client.connection import Connections
from sluis.client.receipt_book import ReceiptBook
from sluis.client.settings import KitSettings
from sluis.client.state import KitState
from sluis.errors import Conflict, InvalidInput, NotAuthentic, NotFound, NotPermitted, SluisError
from sluis.identifiers import Oin
from sluis.log_verifier import check_consistency
from sluis.merkle import Hash, leaf_hash, verify_inclusion
from sluis.note import Note
from sluis.receipt import Receipt
from sluis.signing import VerifyKeys
from sluis.v1 import audit_pb2, directory_pb2, envelope_pb2
from sluis.wire import receipt_from_wire

CHECKPOINT_WAIT = 30.0
CARD_SECONDS = 300.0


class Trust:
    """Checks what comes from the broker."""

    def __init__(
        self,
        settings: KitSettings,
        connections: Connections,
        state: KitState,
        roots: Sequence[x509.Certificate],
        clock: Callable[[], datetime],
        book: ReceiptBook,
    ) -> None:
        self._connections = connections
        self._state = state
        self._roots = list(roots)
        self._clock = clock
        self._book = book
        self._wait = min(CHECKPOINT_WAIT, settings.patience_seconds)
        self.policy = settings.trusted_log()
        self._receipt_keys = settings.receipt_verify_keys()
        self._parties: dict[Oin, tuple[float, directory_pb2.Party]] = {}
        self._cards: dict[Oin, tuple[bytes, PartyCard]] = {}
        self._histories: dict[Oin, tuple[float, CardHistory]] = {}
        self.origin = self.policy.log_vkeys[0].name

    async def card(self, oin: Oin, *, even_stopped: bool = False) -> PartyCard:
        """The verified card of an active participant, or of one that was stopped since.

        Raises NotAuthentic, NotFound, NotPermitted.
        """
        party = await self._active(oin, even_stopped)
        known = self._cards.get(oin)
        if known is None or known[0] != party.card:
            card = PartyCard.parse(party.card)
            card.verify(self._roots, self._clock())
            if card.oin != oin:
                raise NotAuthentic("signature-wrong", "the directory shows the card of another party")
            self._cards[oin] = known = (party.card, card)
        return known[1]

    async def card_at(
        self, oin: Oin, log_index: int, at: datetime, *, even_stopped: bool = False
    ) -> PartyCard:
        """The card that counted for an active participant, or one stopped since, when the log reached an index.

        It holds when its admission stands in the log, nobody revoked it for then, and its certificate was valid `at`
        that time, whether or not it is still. Raises NotAuthentic, NotFound, NotPermitted `certificate-revoked`.
        """
        await self._active(oin, even_stopped)
        known = self._histories.get(oin)
        if known is None or known[0] < time.monotonic():
            history = await self._history(oin)
            self._histories[oin] = known = (time.monotonic() + CARD_SECONDS, history)
        return known[1].card_at(log_index, self._roots, at)

    def forget_card(self, oin: Oin) -> None:
        """Ask the directory again next time: the broker knows other keys by now."""
        self._parties.pop(oin, None)
        self._histories.pop(oin, None)

    async def _active(self, oin: Oin, even_stopped: bool) -> directory_pb2.Party:
        known = self._parties.get(oin)
        if known is None or known[0] < time.monotonic():
            request = directory_pb2.GetPartyRequest(oin=oin)
            answer = await self._connections.patiently(
                lambda: self._connections.directory.GetParty(request, timeout=10)
            )
            self._parties[oin] = known = (time.monotonic() + CARD_SECONDS, answer.party)
            self._cards.pop(oin, None)
        if not known[1].active and not even_stopped:
            self._parties.pop(oin, None)
            raise NotPermitted("party-stopped")
        return known[1]

    async def _history(self, oin: Oin) -> CardHistory:
        request = directory_pb2.ListCardsRequest(oin=oin)
        answer = await self._connections.patiently(
            lambda: self._connections.directory.ListCards(request, timeout=10)
        )
        terms = []
        for record in answer.cards:
            first = await self.prove_once(record.admitted)
            revoked = b""
            if record.HasField("revoked"):
                await self.prove_once(record.revoked)
                revoked = record.revoked.entry
            terms.append(read_term(oin, record.card, first, record.admitted.entry, revoked))
        return CardHistory(terms)

    async def prove_once(self, logged: directory_pb2.LoggedEntry) -> int:
        """Check that an entry stands in the log, unless that was done before; returns its index.

        Raises NotAuthentic.
        """
        receipt = receipt_from_wire(logged.receipt)
        leaf = leaf_hash(logged.entry)
        if not self._state.is_proven(self.origin, receipt.log_index, leaf):
            receipt = self.check_receipt(logged.receipt, logged.entry)
            await self.prove_inclusion(receipt.log_index, logged.entry)
            self._state.set_proven(self.origin, receipt.log_index, leaf)
        return receipt.log_index

    async def parties(self, role: str) -> list[directory_pb2.Party]:
        """Active participants with a role, as the directory lists them; their cards are not checked yet."""
        found: list[directory_pb2.Party] = []
        token = ""
        while True:
            page = await self._list(directory_pb2.ListPartiesRequest(role=role, page_token=token))
            found += [party for party in page.parties if party.active]
            token = page.next_page_token
            if not token:
                return found

    async def _list(self, request: directory_pb2.ListPartiesRequest) -> directory_pb2.ListPartiesResponse:
        return await self._connections.patiently(
            lambda: self._connections.directory.ListParties(request, timeout=10)
        )

    def check_receipt(self, message: envelope_pb2.Receipt, entry: bytes) -> Receipt:
        """Check a receipt and that it is for this entry, and take it into the book. Raises NotAuthentic."""
        receipt = receipt_from_wire(message)
        receipt.verify(self._receipt_keys, log_origin=self.origin, entry=entry)
        self._book.add(receipt)
        return receipt

    def keep_receipts(self) -> None:
        """Write the receipts that were checked to disk, before the answers they came with have an effect."""
        self._book.flush()

    @property
    def receipt_keys(self) -> VerifyKeys:
        """The keys under which the broker's receipts and redaction statements hold."""
        return self._receipt_keys

    def remembered(self) -> Checkpoint | None:
        """The newest checkpoint of the log that this kit has seen.

        Raises Conflict `state-damaged` when the signed one that was kept does not hold any more.
        """
        seen = self._state.checkpoint(self.origin)
        unsigned = Checkpoint(origin=self.origin, size=seen[0], root=seen[1]) if seen else None
        signed = self._kept_note()
        if signed is None or unsigned is None:
            return signed or unsigned
        # The signed one is written first, so after a crash it may be the newer of the two.
        if signed.size < unsigned.size or (signed.size == unsigned.size and signed.root != unsigned.root):
            raise Conflict("state-damaged", "the kit remembers two different newest checkpoints")
        return signed

    def _kept_note(self) -> Checkpoint | None:
        text = self._book.note(self.origin)
        try:
            note = Note.parse(text) if text else None
            if note is None or not any(vkey.signatures_in(note) for vkey in self.policy.log_vkeys):
                return None  # none was kept, or the log has other keys since
            return verify_log_signature(note, self.policy.log_vkeys)
        except SluisError:
            message = "the newest checkpoint that the kit kept does not hold: its file was changed"
            raise Conflict("state-damaged", message) from None

    async def checkpoint(self, minimum_size: int = 0) -> Checkpoint:
        """A cosigned checkpoint of at least a size; see `verified_checkpoint`."""
        return (await self.verified_checkpoint(minimum_size)).checkpoint

    async def verified_checkpoint(self, minimum_size: int = 0) -> VerifiedCheckpoint:
        """A cosigned checkpoint of at least a size, consistent with the newest one this kit has seen.

        Waits a while for the checkpoint and its cosignatures. Raises NotAuthentic `checkpoint-wrong`,
        `not-witnessed`, `log-inconsistent`; NotFound when none came.
        """
        return (await self.signed_checkpoint(minimum_size))[0]

    async def checkpoint_text(self, minimum_size: int) -> tuple[Checkpoint, str]:
        """A checkpoint that was verified, with the signed note itself."""
        verified, text = await self.signed_checkpoint(minimum_size)
        return verified.checkpoint, text

    async def signed_checkpoint(self, minimum_size: int = 0) -> tuple[VerifiedCheckpoint, str]:
        """The same as `verified_checkpoint`, with the signed note."""
        deadline = time.monotonic() + self._wait
        while True:
            try:
                return await self._fetch_checkpoint(minimum_size)
            except (NotFound, NotAuthentic) as error:
                if error.code not in ("not-found", "not-witnessed") or time.monotonic() > deadline:
                    raise
            await asyncio.sleep(0.1)

    async def _note(self, minimum_size: int) -> str:
        request = audit_pb2.GetCheckpointRequest(minimum_size=minimum_size)
        answer = await self._connections.patiently(
            lambda: self._connections.audit.GetCheckpoint(request, timeout=10)
        )
        return answer.checkpoint

    async def _fetch_checkpoint(self, minimum_size: int) -> tuple[VerifiedCheckpoint, str]:
        text = await self._note(minimum_size)
        verified = self.policy.verify_checkpoint(text)
        if verified.checkpoint.size < minimum_size:
            raise NotAuthentic("log-inconsistent", "the checkpoint is smaller than was asked")
        await self.remember(verified.checkpoint, text)
        return verified, text

    async def remember(self, found: Checkpoint, text: str) -> None:
        """Hold a verified checkpoint against the newest one seen, and keep the larger of the two.

        Raises NotAuthentic `log-inconsistent`.
        """
        seen = self.remembered()
        await self.compare(found, text)
        if seen is None or found.size >= seen.size:
            self._book.set_note(self.origin, found.size, text)
            self._state.set_checkpoint(self.origin, found.size, found.root)

    async def compare(self, found: Checkpoint, text: str) -> None:
        """Hold a checkpoint that the log signed against the newest one seen, which may be the larger.

        When the two contradict each other both are kept as evidence. Raises NotAuthentic `log-inconsistent`.
        """
        seen = self.remembered()
        if seen is None:
            return
        older, newer = sorted((seen, found), key=lambda checkpoint: checkpoint.size)
        proof: list[Hash] | None = None
        try:
            proof = await self._growth(older.size, newer.size)
            check_consistency(older, newer, proof)
        except NotAuthentic:
            if own := self._book.note(self.origin):
                first, second = (own, text) if older is seen else (text, own)
                self._book.accusations.contradiction(first, second, proof)
            raise

    async def _growth(self, first: int, second: int) -> list[Hash]:
        if not 0 < first < second:
            return []
        try:
            return await self.consistency(first, second)
        except InvalidInput:
            message = f"the log was cut: a checkpoint of {second} entries was seen, now the broker has fewer"
            raise NotAuthentic("log-inconsistent", message) from None

    async def consistency(self, first: int, second: int) -> list[Hash]:
        """A consistency proof, unverified."""
        request = audit_pb2.GetConsistencyProofRequest(first_size=first, second_size=second)
        answer = await self._connections.patiently(
            lambda: self._connections.audit.GetConsistencyProof(request, timeout=30)
        )
        return [Hash(item) for item in answer.hashes]

    async def inclusion(self, log_index: int, size: int) -> list[Hash]:
        """An inclusion proof, unverified."""
        request = audit_pb2.GetInclusionProofRequest(log_index=log_index, tree_size=size)
        answer = await self._connections.patiently(
            lambda: self._connections.audit.GetInclusionProof(request, timeout=30)
        )
        return [Hash(item) for item in answer.hashes]

    async def prove_inclusion(self, log_index: int, entry: bytes) -> Checkpoint:
        """Check that an entry stands in the log at an index, under a cosigned checkpoint."""
        checkpoint = await self.checkpoint(log_index + 1)
        proof = await self.inclusion(log_index, checkpoint.size)
        verify_inclusion(leaf_hash(entry), log_index, checkpoint.size, proof, checkpoint.root)
        return checkpoint
