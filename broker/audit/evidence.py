# SPDX-License-Identifier: EUPL-1.2
"""An evidence bundle straight from the broker's store, for the console (`sluis.evidence` says what is in it)."""

import json
from collections.abc import Sequence

from broker.storage.port import Store
from broker.storage.projected import Sight
from sluis.checkpoint import Checkpoint
from sluis.errors import Defect, NotFound
from sluis.evidence import Evidence, ProvenEntry, make_evidence
from sluis.merkle import inclusion_proof
from sluis.note import Note, VKey


def collect_evidence(
    store: Store, sight: Sight, exchange: str, log_vkeys: Sequence[VKey], witness_vkeys: Sequence[VKey]
) -> Evidence:
    """Everything on one exchange under one checkpoint; write it with `sluis.evidence.write_evidence`.

    Raises NotFound `not-found`: there is no such exchange for this reader, or no checkpoint over it yet.
    """
    indexes = [row.log_index for row in store.exchange_index.exchange(sight, exchange)]
    if not indexes:
        raise NotFound("not-found", "there is no such exchange")
    signed = store.checkpoint(indexes[-1] + 1)
    if signed is None:
        raise NotFound("not-found", "there is no checkpoint over this exchange yet")
    size = Checkpoint.parse(Note.parse(signed).text).size
    entries = [_proven(store, index, size) for index in indexes]
    digests = {digest for item in entries if (digest := json.loads(item.entry).get("policy"))}
    return make_evidence(
        entries, signed, log_vkeys, witness_vkeys, {digest: _archive(store, digest) for digest in digests}
    )


def _proven(store: Store, index: int, size: int) -> ProvenEntry:
    row = store.log_row(index)
    if row is None:
        raise Defect("defect", "an entry of the index of exchanges is not in the log")
    return ProvenEntry(index=index, entry=row.entry, proof=tuple(inclusion_proof(index, size, store.node)))


def _archive(store: Store, digest: str) -> bytes:
    archive = store.policy_bundle(digest)
    if archive is None:
        raise NotFound("not-found", "the rules that decided are not kept", where=digest)
    return archive
