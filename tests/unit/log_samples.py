# SPDX-License-Identifier: EUPL-1.2
"""A small log in memory, its signed checkpoints and its witnesses, for the tests of the log."""

from pathlib import Path

from sluis.canonical import canonical_json
from sluis.checkpoint import Checkpoint
from sluis.checkpoint_signers import CheckpointSigner, cosign, log_signers, sign_checkpoint, witness_signers
from sluis.merkle import CompactRange, Hash, consistency_proof, inclusion_proof, leaf_hash
from sluis.note import Note, VKey

VECTORS = Path(__file__).parent.parent / "vectors"
ORIGIN = "broker.example/log"
LOG_KEYS = log_signers(ORIGIN, bytes(range(64)))
OTHER_LOG_KEYS = log_signers(ORIGIN, bytes(range(1, 65)))
W1 = witness_signers("witness.example/w1", bytes(range(64, 128)))
W2 = witness_signers("witness.example/w2", bytes(range(128, 192)))
TIME = 1_790_000_000


def vkeys(signers: tuple[CheckpointSigner, ...]) -> list[VKey]:
    """The verifier keys of some signers."""
    return [signer.vkey for signer in signers]


class SampleLog:
    """Entries, leaf hashes and complete subtrees; `fork` makes another history."""

    def __init__(self, size: int, *, fork_at: int | None = None, origin: str = ORIGIN) -> None:
        self.origin = origin
        self.entries = [sample_entry(i, forked=fork_at is not None and i >= fork_at) for i in range(size)]
        self.leaves = [leaf_hash(entry) for entry in self.entries]
        self._nodes = {(0, i): leaf for i, leaf in enumerate(self.leaves)}
        self._nodes |= {(n.level, n.index): n.hash for n in CompactRange().extend(self.leaves)[1]}

    def node(self, level: int, index: int) -> Hash:
        return self._nodes[level, index]

    def checkpoint(self, size: int | None = None) -> Checkpoint:
        size = len(self.leaves) if size is None else size
        tree, _ = CompactRange().extend(self.leaves[:size])
        return Checkpoint(origin=self.origin, size=size, root=tree.root())

    def signed(self, size: int | None = None, keys: tuple[CheckpointSigner, ...] = LOG_KEYS) -> str:
        return sign_checkpoint(self.checkpoint(size), keys, TIME)

    def witnessed(self, size: int | None = None, *witnesses: tuple[CheckpointSigner, ...]) -> str:
        note = Note.parse(self.signed(size))
        for signers in witnesses or (W1, W2):
            note = note.with_signatures(cosign(self.checkpoint(size), signers, TIME + 1))
        return note.format()

    def consistency(self, size1: int, size2: int) -> list[Hash]:
        return consistency_proof(size1, size2, self.node)

    def inclusion(self, index: int, size: int) -> list[Hash]:
        return inclusion_proof(index, size, self.node)


def sample_entry(index: int, *, forked: bool = False) -> bytes:
    """An entry such as the broker's, without any meaning."""
    entry: dict[str, object] = {
        "v": 1,
        "operation": "sample",
        "time": f"2026-11-23T10:{index // 60 % 60:02d}:{index % 60:02d}.000Z",
        "outcome": "forked" if forked else "mailbox",
    }
    if index % 3 == 2:
        entry["previous"] = index - 2
    return canonical_json(entry)
