# SPDX-License-Identifier: EUPL-1.2
"""Files that show what a broker did wrong, for whoever must judge it: signed statements that contradict each other.

    <state>/evidence/contradiction-<hash>.json     two checkpoints of one log, both signed by it
    <state>/evidence/broken-promise-<hash>.json    a receipt, and a checkpoint that covers its index

Two checkpoints of the same size and different roots convict by themselves. In the other cases the broker can still
clear itself by a proof; `answer` holds what it gave when it was asked for one.
"""

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from sluis.canonical import canonical_json
from sluis.errors import Conflict
from sluis.keys import write_new
from sluis.merkle import Hash
from sluis.receipt import Receipt
from sluis.signing import VerifyKey


class Accusations:
    """A folder of evidence; writing the same twice gives one file."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.newest: Path | None = None

    def contradiction(self, first: str, second: str, answer: Sequence[Hash] | None) -> Path:
        """Keep two signed checkpoints of one log, and the consistency proof that does not join them."""
        return self._write("contradiction", {"first": first, "second": second, "answer": _hashes(answer)})

    def broken_promise(
        self, receipt: Receipt, key: VerifyKey, checkpoint: str, answer: Sequence[Hash] | None
    ) -> Path:
        """Keep a receipt, a checkpoint over its index, and the inclusion proof that does not hold."""
        promise = {
            "origin": receipt.log_origin,
            "index": receipt.log_index,
            "leaf_hash": receipt.leaf_hash.hex(),
            "signature": receipt.signature.hex(),
            "receipt_key": key.raw.hex(),
        }
        members = {"receipt": promise, "checkpoint": checkpoint, "answer": _hashes(answer)}
        return self._write("broken-promise", members)

    def _write(self, kind: str, members: dict[str, object]) -> Path:
        data = canonical_json({"v": 1, "kind": kind, **members})
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = self._folder / f"{kind}-{hashlib.sha256(data).hexdigest()[:16]}.json"
        with suppress(Conflict):  # it is there already
            write_new(path, data, mode=0o600)
        self.newest = path
        return path


def _hashes(proof: Sequence[Hash] | None) -> object:
    return "refused" if proof is None else [item.hex() for item in proof]
