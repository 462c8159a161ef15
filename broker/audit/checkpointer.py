# SPDX-License-Identifier: EUPL-1.2
"""Signs the log's head about once a second, and has witnesses cosign it.

Only the replica that holds the leader's lock signs. It signs nothing that does not continue the checkpoint
before: a database that was rolled back or rewritten makes it stop and say so, and it never signs again until an
operator has looked. Witnesses are asked afterwards: one that is away delays its cosignature, never an exchange.
"""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime

import structlog

from broker.audit.witness_client import WitnessClient
from broker.storage.port import Store
from sluis.checkpoint import Checkpoint
from sluis.checkpoint_signers import CheckpointSigner, sign_checkpoint
from sluis.errors import NotAuthentic, SluisError
from sluis.merkle import Hash, consistency_proof, verify_consistency
from sluis.note import Note, NoteSignature

log = structlog.get_logger("broker.checkpointer")

LOCK = "checkpoint"


class Checkpointer:
    """Keeps the newest checkpoint close to the head."""

    def __init__(
        self,
        store: Store,
        signers: Sequence[CheckpointSigner],
        witnesses: Sequence[WitnessClient],
        clock: Callable[[], datetime],
        interval: float,
    ) -> None:
        self._store = store
        self._signers = signers
        self._origin = signers[0].vkey.name
        self._witnesses = witnesses
        self._clock = clock
        self._interval = interval
        self._last: Checkpoint | None = None
        self._cosigned: set[str] = set()
        self.broken = False

    async def run(self) -> None:
        """Sign until cancelled; trouble is logged and tried again, inconsistency ends signing."""
        while not self.broken:
            try:
                await self.once()
            except NotAuthentic as error:
                self.broken = True
                log.error("checkpoint.failed", code=error.code, reason=error.message)
            except SluisError as error:
                log.warning("checkpoint.failed", code=error.code, reason=error.message)
            await asyncio.sleep(self._interval)

    async def once(self) -> None:
        """Sign the head if it grew, and gather the cosignatures that are still missing.

        Raises NotAuthentic `log-inconsistent` when the head does not continue the newest checkpoint.
        """
        if not await asyncio.to_thread(self._store.try_lead, LOCK):
            return
        checkpoint = await asyncio.to_thread(self._next)
        if checkpoint is not None:
            now = self._clock()
            text = sign_checkpoint(checkpoint, self._signers, int(now.timestamp()))
            await asyncio.to_thread(self._keep, checkpoint, text)
            self._last, self._cosigned = checkpoint, set()
        waiting = [witness for witness in self._witnesses if witness.name not in self._cosigned]
        if self._last is None or not waiting:
            return
        stored = await asyncio.to_thread(self._store.checkpoint)
        if stored is None:
            return
        found = await asyncio.gather(*(self._ask(witness, stored) for witness in waiting))
        lines = [line for signatures in found for line in signatures]
        if lines:
            note = Note.parse(stored).with_signatures(lines)
            await asyncio.to_thread(self._keep, self._last, note.format())
        log.info("checkpoint.signed", size=self._last.size, cosignatures=len(self._cosigned))

    def _next(self) -> Checkpoint | None:
        head = self._store.head().tree
        if self._last is None and (text := self._store.checkpoint()) is not None:
            self._last = Checkpoint.parse(Note.parse(text).text)
        last = self._last
        if last is not None and last.size > 0:
            self._check_growth(last, head.size, head.root())
        if head.size == (last.size if last else 0):
            return None
        return Checkpoint(origin=self._origin, size=head.size, root=head.root())

    def _check_growth(self, last: Checkpoint, size: int, root: Hash) -> None:
        if size < last.size:
            message = f"the log has {size} entries, fewer than the {last.size} of its newest checkpoint"
            raise NotAuthentic("log-inconsistent", message)
        proof = consistency_proof(last.size, size, self._store.node)
        try:
            verify_consistency(last.size, size, proof, last.root, root)
        except NotAuthentic:
            message = f"the log of {size} entries does not continue its checkpoint of {last.size}"
            raise NotAuthentic("log-inconsistent", message) from None

    def _keep(self, checkpoint: Checkpoint, text: str) -> None:
        self._store.add_checkpoint(checkpoint.size, text, int(self._clock().timestamp() * 1000))

    async def _ask(self, witness: WitnessClient, stored: str) -> tuple[NoteSignature, ...]:
        try:
            lines = await witness.add_checkpoint(stored, self._prove)
        except SluisError as error:
            log.warning("witness.failed", witness=witness.name, code=error.code)
            return ()
        self._cosigned.add(witness.name)
        return lines

    async def _prove(self, first: int, second: int) -> Sequence[Hash]:
        return await asyncio.to_thread(consistency_proof, first, second, self._store.node)
