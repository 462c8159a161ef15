# SPDX-License-Identifier: EUPL-1.2
"""The kit as a whole: one participant, its keys, its connections, and what it can do with them."""

from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack, asynccontextmanager, closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from sluis.client.auditor import Auditor
from sluis.client.connection import Connections
from sluis.client.correction import Corrector
from sluis.client.epochs import EpochBook
from sluis.client.follow_up_book import FollowUpBook
from sluis.client.followups import FollowUps
from sluis.client.foresight import Foreseen, foresee
from sluis.client.inbox import Inbox
from sluis.client.keyring import KeyRing
from sluis.client.matcher import Matcher, MatchMemory
from sluis.client.outbox import Outbox
from sluis.client.pseudonymiser import Pseudonymiser
from sluis.client.receipt_book import ReceiptBook
from sluis.client.receipts import ReceiptKeeper
from sluis.client.receiver import Receiver
from sluis.client.registrar import Registrar
from sluis.client.sender import Draft, Sender
from sluis.client.settings import KitSettings
from sluis.client.state import KitState
from sluis.client.trust import Trust
from sluis.errors import NotAuthentic
from sluis.identifiers import Oin
from sluis.key_renewal import OldKey, old_keys
from sluis.keys import TLS_CERTIFICATE, KeyFolder, ParticipantKeys
from sluis.policy.bundle import Bundle, default_directory, load_bundle
from sluis.pseudonym_cache import PseudonymCache
from sluis.v1 import directory_pb2


@dataclass(frozen=True, slots=True, kw_only=True)
class Kit:
    """A participant's kit. Make one with `Kit.open`."""

    oin: Oin
    agreement: str
    bundle: Bundle
    ring: KeyRing
    connections: Connections
    trust: Trust
    epochs: EpochBook
    pseudonymiser: Pseudonymiser
    sender: Sender
    receiver: Receiver
    matcher: Matcher
    registrar: Registrar
    auditor: Auditor
    receipts: ReceiptKeeper
    follow_ups: FollowUps

    @classmethod
    @asynccontextmanager
    async def open(cls, settings: KitSettings) -> AsyncIterator["Kit"]:
        """Read keys and state, open connections. Raises SluisError when something is missing or weak."""
        folder = KeyFolder(path=settings.keys)
        ring = _own_keys(folder)
        bundle = load_bundle(settings.policies or default_directory())
        with ExitStack() as stack:
            files = _Files.open(stack, _state_folder(settings), ring.keys)
            connections = Connections(settings)
            try:
                trust = Trust(settings, connections, files.state, folder.roots(), _now, files.book)
                memory = MatchMemory.open(stack, files.folder, connections, trust)
                parts = _Parts(settings, ring, bundle, files, connections, trust)
                parts.epochs.when_ended(memory.digests.forget_epoch)
                receiver = parts.receiver()
                yield cls(
                    oin=parts.oin,
                    agreement=settings.agreement,
                    bundle=bundle,
                    ring=ring,
                    connections=connections,
                    trust=trust,
                    epochs=parts.epochs,
                    pseudonymiser=parts.pseudonymiser,
                    sender=parts.sender(),
                    receiver=receiver,
                    auditor=Auditor(connections, trust, files.state),
                    receipts=ReceiptKeeper(files.book, trust, settings),
                    follow_ups=parts.follow_ups(),
                    matcher=parts.matcher(receiver, memory),
                    registrar=parts.registrar(),
                )
            finally:
                await connections.close()

    async def prune_keys(self, folder: KeyFolder) -> tuple[list[OldKey], int]:
        """Destroy the replaced sealing keys of which nothing waits or can come; returns them, and how many stay."""
        destroyed, kept = [], 0
        for old in old_keys(folder):
            if await self._needed(old):
                kept += 1
            else:
                old.destroy()
                destroyed.append(old)
        return destroyed, kept

    async def _needed(self, old: OldKey) -> bool:
        if old.can_come(self.epochs.now_ms()):
            return True
        before = old.before
        if before is None:
            # All that was sealed for it was pushed by now, so it stands before the end of the log.
            before = (await self.trust.checkpoint()).size
            replace(old, before=before).note()
        request = directory_pb2.CheckOldKeysRequest(before_log_index=before)
        answer = await self.connections.patiently(
            lambda: self.connections.directory.CheckOldKeys(request, timeout=60)
        )
        return answer.needed

    @property
    def keys(self) -> ParticipantKeys:
        """The participant's present keys."""
        return self.ring.keys

    async def foresee(self, drafts: Sequence[Draft]) -> tuple[Foreseen, ...]:
        """Ask the broker what it would decide on these drafts, before anything is sealed or sent."""
        return await foresee(drafts, self.agreement, self.connections, self.bundle)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Files:
    """What the kit remembers, closed with the stack."""

    folder: Path
    state: KitState
    outbox: Outbox
    inbox: Inbox
    book: ReceiptBook
    cache: PseudonymCache
    follow_ups: FollowUpBook

    @classmethod
    def open(cls, stack: ExitStack, folder: Path, keys: ParticipantKeys) -> "_Files":
        return cls(
            folder=folder,
            state=stack.enter_context(closing(KitState(folder / "kit.sqlite"))),
            outbox=stack.enter_context(closing(Outbox(folder / "outbox.sqlite", keys.cache))),
            inbox=stack.enter_context(closing(Inbox(folder / "inbox.sqlite"))),
            book=stack.enter_context(closing(ReceiptBook(folder))),
            cache=stack.enter_context(closing(PseudonymCache(folder / "pseudonyms.sqlite", keys.cache))),
            follow_ups=stack.enter_context(closing(FollowUpBook(folder / "followups.sqlite"))),
        )


class _Parts:
    """Makes the parts of a kit from what they share."""

    def __init__(
        self,
        settings: KitSettings,
        ring: KeyRing,
        bundle: Bundle,
        files: _Files,
        connections: Connections,
        trust: Trust,
    ) -> None:
        self.oin = Oin.parse(settings.oin)
        self.epochs = EpochBook(connections, trust, files.state, files.cache, _now)
        self.pseudonymiser = Pseudonymiser(connections, trust, files.state, files.cache, self.epochs)
        self._agreement = settings.agreement
        self._ring = ring
        self._bundle = bundle
        self._files = files
        self._connections = connections
        self._trust = trust

    def sender(self) -> Sender:
        return Sender(
            oin=self.oin,
            agreement=self._agreement,
            keys=self._ring,
            connections=self._connections,
            trust=self._trust,
            pseudonymiser=self.pseudonymiser,
            outbox=self._files.outbox,
            bundle=self._bundle,
        )

    def receiver(self) -> Receiver:
        return Receiver(
            oin=self.oin,
            keys=self._ring,
            connections=self._connections,
            trust=self._trust,
            inbox=self._files.inbox,
            bundle=self._bundle,
        )

    def follow_ups(self) -> FollowUps:
        corrector = Corrector(
            keys=self._ring,
            trust=self._trust,
            outbox=self._files.outbox,
            book=self._files.follow_ups,
            bundle=self._bundle,
            now_ms=_now_ms,
        )
        return FollowUps(
            oin=self.oin,
            keys=self._ring,
            connections=self._connections,
            trust=self._trust,
            inbox=self._files.inbox,
            book=self._files.follow_ups,
            corrector=corrector,
            bundle=self._bundle,
            now_ms=_now_ms,
        )

    def matcher(self, receiver: Receiver, memory: MatchMemory) -> Matcher:
        return Matcher(
            oin=self.oin,
            agreement=self._agreement,
            connections=self._connections,
            trust=self._trust,
            pseudonymiser=self.pseudonymiser,
            receiver=receiver,
            memory=memory,
        )

    def registrar(self) -> Registrar:
        return Registrar(
            oin=self.oin,
            agreement=self._agreement,
            keys=self._ring,
            connections=self._connections,
            trust=self._trust,
            pseudonymiser=self.pseudonymiser,
        )


def _now() -> datetime:
    return datetime.now(UTC)


def _now_ms() -> int:
    return int(_now().timestamp() * 1000)


def _own_keys(folder: KeyFolder) -> KeyRing:
    ring = KeyRing.load(folder)
    _check_own_certificate(folder, _now())
    return ring


def _state_folder(settings: KitSettings) -> Path:
    settings.state.mkdir(parents=True, exist_ok=True, mode=0o700)
    return settings.state


def _check_own_certificate(folder: KeyFolder, now: datetime) -> None:
    """TLS would refuse an expired certificate without a word that says so."""
    leaf = folder.tls_chain()[0]
    if not leaf.not_valid_before_utc <= now <= leaf.not_valid_after_utc:
        period = f"{leaf.not_valid_before_utc:%Y-%m-%d} to {leaf.not_valid_after_utc:%Y-%m-%d}"
        message = f"your own certificate is valid from {period}: ask your authority for a new one"
        raise NotAuthentic("certificate-expired", message, where=str(folder.path / TLS_CERTIFICATE))
