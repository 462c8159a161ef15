# SPDX-License-Identifier: EUPL-1.2
"""Which rules decide now: the bundle that the log last activated, read in the transaction that decides.

Every batch asks the log's own transaction which bundle is active, so that an activation counts from its entry on
at every replica, whoever made it. A bundle is read from the store by its digest and checked against it.
"""

from collections.abc import Mapping
from datetime import datetime

import structlog

from broker.facts import FactProver
from broker.step import Step
from broker.storage.port import Activation, Store, Transaction
from sluis.errors import Defect, NotFound
from sluis.policy.archive import pack, unpack
from sluis.policy.bundle import Bundle, read_bundle

log = structlog.get_logger("broker.policy")


class ActivePolicy:
    """The bundle that decides, and the prover of its facts. Replaced whole, never changed."""

    def __init__(self, store: Store, bundle: Bundle) -> None:
        self._store = store
        self._current = (bundle, FactProver(bundle))

    @property
    def bundle(self) -> Bundle:
        """The rules that decide now."""
        return self._current[0]

    @property
    def prover(self) -> FactProver:
        """Proves the facts for which these rules ask."""
        return self._current[1]

    def sync(self, tx: Transaction) -> None:
        """Follow the log. Raises what `stored_bundle` raises: without its rules a broker decides nothing."""
        self._switch(tx.active_policy())

    def refresh(self) -> None:
        """Follow the log between batches, so that a dry run on an idle broker is taken under the rules of now."""
        activations = self._store.activations()
        self._switch(activations[-1].digest if activations else "")

    def _switch(self, digest: str) -> None:
        if digest and digest != self.bundle.digest:
            bundle = stored_bundle(self._store, digest)
            self._current = (bundle, FactProver(bundle))
            log.info("policy.switched", policy=digest)


def stored_bundle(store: Store, digest: str) -> Bundle:
    """Read a bundle that was activated. Raises NotFound `not-found`, Defect when it is not what its name says."""
    archive = store.policy_bundle(digest)
    if archive is None:
        raise NotFound("not-found", "no bundle of rules with this digest was activated", where=digest)
    bundle = read_bundle(unpack(archive))
    if bundle.digest != digest:
        raise Defect("defect", "a stored bundle of rules has another digest than its name")
    return bundle


def install(store: Store, files: Mapping[str, bytes], now: datetime) -> Bundle:
    """Return the active bundle; on a store that never had one, activate these files as the first.

    The first bundle comes with the software and is put in force by whoever sets up the broker; every later one
    takes two officers (`broker.policy.activation`). Later starts only read, so that a broker whose log was
    damaged still starts, and shows its auditor what it has.
    """
    offered = read_bundle(files)
    activations = store.activations()
    digest = activations[-1].digest if activations else _install_first(store, offered, files, now)
    if digest == offered.digest:
        return offered
    log.warning("policy.differs", policy=digest, offered=offered.digest)
    return stored_bundle(store, digest)


def _install_first(store: Store, offered: Bundle, files: Mapping[str, bytes], now: datetime) -> str:
    """Activate the first bundle, unless another replica just did; returns the digest of the active one."""
    with store.transaction() as tx:
        digest = tx.active_policy()
        if not digest:
            step = Step(tx, now, [])
            logged = step.log({"operation": "policy.install", "policy": offered.digest})
            row = Activation(log_index=logged.index, digest=offered.digest, at_ms=step.now_ms)
            tx.activate_policy(row, pack(files))
            tx.commit()
    return digest or offered.digest


def bundle_at(store: Store, at: datetime) -> Bundle | None:
    """The bundle that decided at a moment; none before the first activation."""
    at_ms = int(at.timestamp() * 1000)
    digests = [row.digest for row in store.activations() if row.at_ms <= at_ms]
    return stored_bundle(store, digests[-1]) if digests else None
