# SPDX-License-Identifier: EUPL-1.2
"""An evaluator states that its seed of a retired epoch is destroyed; the whole statement stands in the log."""

from dataclasses import dataclass

from broker.admission import Admitted, admit
from broker.signer import ReceiptSigner
from broker.step import Needs, Step, rfc3339
from broker.storage.epoch_port import DestructionRow
from broker.storage.port import Store
from sluis.epoch_log import DESTROY, KeyDestruction
from sluis.errors import Conflict, NotFound, NotPermitted
from sluis.merkle import Hash
from sluis.v1 import directory_pb2


@dataclass(frozen=True, slots=True)
class PublishDestruction:
    """One evaluator's statement about one epoch; the same one again gets the same entry."""

    evaluator: Admitted
    statement: KeyDestruction
    signature: bytes
    signer: ReceiptSigner
    store: Store

    @classmethod
    def checked(
        cls,
        evaluator: Admitted,
        request: directory_pb2.PublishKeyDestructionRequest,
        signer: ReceiptSigner,
        store: Store,
    ) -> "PublishDestruction":
        """Check whose statement it is, and its signature. Raises InvalidInput, NotAuthentic, NotPermitted."""
        statement = KeyDestruction.decode(request.statement)
        if statement.evaluator != evaluator.oin:
            raise NotPermitted("not-your-identity")
        statement.verify(evaluator.card.signing_key, request.signature)
        return cls(evaluator, statement, request.signature, signer, store)

    def needs(self) -> Needs:
        """The evaluator itself."""
        return Needs(parties=frozenset({self.evaluator.oin}))

    def settle(self, step: Step) -> directory_pb2.PublishKeyDestructionResponse:
        """Log the statement. Raises Conflict `wrong-state` unless it is about the entry that retired the epoch."""
        admit(step, self.evaluator)
        told = self.statement
        epoch = step.calendar.find(told.epoch)
        if epoch.retired_index is None or epoch.retired_index != told.retired_index:
            raise Conflict("wrong-state", "the epoch was not retired by this entry", where=told.epoch)
        row = self.store.log_row(told.retired_index)
        if told.log_origin != self.signer.log_origin or row is None or row.leaf_hash != told.retired_leaf:
            raise Conflict("wrong-state", "the statement is about an entry of another log", where=told.epoch)
        known = step.tx.epochs.destruction(told.evaluator, told.epoch)
        if known is not None:
            return self._known(known)
        logged = step.log(
            {
                "operation": DESTROY,
                "evaluator": told.evaluator,
                "epoch": told.epoch,
                "retired": told.retired_index,
                "leaf": told.retired_leaf.hex(),
                "destroyed_at": rfc3339(told.destroyed_at_ms),
                "signature": self.signature.hex(),
            }
        )
        step.tx.epochs.add_destruction(
            DestructionRow(
                evaluator=told.evaluator,
                epoch=told.epoch,
                statement=told.encode(),
                signature=self.signature,
                log_index=logged.index,
            )
        )
        receipt = self.signer.receipt(logged.index, logged.leaf)
        return directory_pb2.PublishKeyDestructionResponse(
            logged=directory_pb2.LoggedEntry(entry=logged.entry, receipt=receipt)
        )

    def _known(self, known: DestructionRow) -> directory_pb2.PublishKeyDestructionResponse:
        row = self.store.log_row(known.log_index)
        if row is None:
            raise NotFound("not-found", "the log entry of a statement is missing")
        receipt = self.signer.receipt(row.log_index, Hash(row.leaf_hash))
        return directory_pb2.PublishKeyDestructionResponse(
            logged=directory_pb2.LoggedEntry(entry=row.entry, receipt=receipt)
        )
