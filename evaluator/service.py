# SPDX-License-Identifier: EUPL-1.2
"""PseudonymService: authorise, charge the budget, evaluate with proof. It never learns an identifier.

A batch of 4,096 with proof holds a core for a third of a second, so it runs in a thread; libsodium releases
the interpreter while it multiplies.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from datetime import datetime

import structlog

from evaluator.budget import Budget
from evaluator.domains import Domains
from evaluator.shares import EvaluatorShares
from sluis.errors import InvalidInput
from sluis.identifiers import Oin
from sluis.keylog import KeyPublication
from sluis.oprf import blind_evaluate, check_batch, generate_proof
from sluis.pseudonyms import PseudonymisationDomain
from sluis.rpc.caller import Caller
from sluis.rpc.server import unary
from sluis.v1 import pseudonym_pb2, pseudonym_pb2_grpc

MAX_ELEMENTS = 4096
MAX_EPOCHS = 8
ELEMENT = 32

log = structlog.get_logger("evaluator")


class PseudonymService(pseudonym_pb2_grpc.PseudonymServiceServicer):
    """One evaluator's half of every pseudonym."""

    def __init__(
        self,
        *,
        domains: Domains,
        shares: EvaluatorShares,
        budget: Budget,
        daily_budget: int,
        publications: Callable[[PseudonymisationDomain], KeyPublication],
        executor: Executor,
        clock: Callable[[], datetime],
    ) -> None:
        self._domains = domains
        self._shares = shares
        self._budget = budget
        self._daily_budget = daily_budget
        self._publications = publications
        self._executor = executor
        self.clock = clock

    @unary
    async def Evaluate(
        self, caller: Caller, request: pseudonym_pb2.EvaluateRequest
    ) -> pseudonym_pb2.EvaluateResponse:
        """Evaluate a batch in one domain, for each of the epochs asked.

        The budget is charged before anything is computed, so a caller who hangs up has spent it all the same.
        """
        recipient = Oin.parse(request.recipient_oin)
        self._domains.authorise(caller.oin, request.agreement, recipient)
        domains = self._asked_domains(request, recipient)
        count = check_elements(request.blinded_elements)
        loop = asyncio.get_running_loop()
        remaining = await loop.run_in_executor(
            self._executor, self._charge, caller.oin, [domain.info() for domain in domains], count
        )
        evaluations = await loop.run_in_executor(
            self._executor, self._evaluate, domains, request.blinded_elements
        )
        log.info(
            "evaluated",
            caller=caller.oin,
            agreement=request.agreement,
            recipient=recipient,
            epochs=len(domains),
            elements=count,
            remaining=remaining,
        )
        return pseudonym_pb2.EvaluateResponse(evaluations=evaluations, remaining_budget=remaining)

    @unary
    async def ListKeys(
        self, caller: Caller, request: pseudonym_pb2.ListKeysRequest
    ) -> pseudonym_pb2.ListKeysResponse:
        """The public shares of this evaluator in a domain, one for each live epoch."""
        recipient = Oin.parse(request.recipient_oin)
        self._domains.authorise(caller.oin, request.agreement, recipient)
        publications = [
            self._publications(
                PseudonymisationDomain(agreement=request.agreement, recipient=recipient, epoch=epoch)
            )
            for epoch in self._shares.epochs
        ]
        return pseudonym_pb2.ListKeysResponse(publications=[to_wire(item) for item in publications])

    def _asked_domains(
        self, request: pseudonym_pb2.EvaluateRequest, recipient: Oin
    ) -> list[PseudonymisationDomain]:
        epochs = list(request.epochs)
        if not 0 < len(epochs) <= MAX_EPOCHS or len(set(epochs)) != len(epochs):
            raise InvalidInput("malformed-request", f"1 to {MAX_EPOCHS} different epochs", where="epochs")
        for epoch in epochs:
            if epoch not in self._shares.epochs:
                raise InvalidInput("unknown-epoch", where="epochs")
        return [
            PseudonymisationDomain(agreement=request.agreement, recipient=recipient, epoch=epoch)
            for epoch in epochs
        ]

    def _charge(self, caller: Oin, infos: list[bytes], count: int) -> int:
        return self._budget.charge(caller, infos, count, limit=self._daily_budget)

    def _evaluate(
        self, domains: list[PseudonymisationDomain], blinded: bytes
    ) -> list[pseudonym_pb2.EpochEvaluation]:
        evaluations = []
        for domain in domains:
            keys = self._shares.key_pair(domain)
            evaluated = blind_evaluate(keys.secret, blinded)
            evaluations.append(
                pseudonym_pb2.EpochEvaluation(
                    epoch=domain.epoch,
                    evaluated_elements=evaluated,
                    proof=generate_proof(keys, blinded, evaluated),
                )
            )
        return evaluations


def check_elements(blinded: bytes) -> int:
    """Return how many elements there are. Raises InvalidInput `batch-too-large`, `malformed-element`."""
    if len(blinded) > MAX_ELEMENTS * ELEMENT:
        raise InvalidInput("batch-too-large", f"at most {MAX_ELEMENTS} elements", where="blinded_elements")
    return check_batch(blinded)


def to_wire(publication: KeyPublication) -> pseudonym_pb2.KeyPublication:
    """Return the message for a publication."""
    return pseudonym_pb2.KeyPublication(
        statement=publication.statement(),
        proof_of_possession=publication.proof_of_possession,
        signature=publication.signature,
    )
