# SPDX-License-Identifier: EUPL-1.2
"""The broker's own keys, in its key folder beside the TLS files.

receipt.key   Ed25519 seed, 32 bytes hex: receipts and redaction statements
log.key       Ed25519 and ML-DSA-44 seeds, 64 bytes hex: checkpoints
"""

from dataclasses import dataclass
from pathlib import Path

from sluis.checkpoint_signers import SECRET_SIZE, CheckpointSigner, log_signers, new_secret
from sluis.keys import read_secret, write_secret
from sluis.signing import SEED_SIZE, SigningKey

RECEIPT = "receipt.key"
LOG = "log.key"


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerKeys:
    """What the broker signs with."""

    receipt: SigningKey
    log: tuple[CheckpointSigner, ...]

    @classmethod
    def create(cls, folder: Path, origin: str) -> "BrokerKeys":
        """Make both keys. Raises Conflict `key-exists`."""
        write_secret(folder / RECEIPT, SigningKey.generate().to_bytes())
        write_secret(folder / LOG, new_secret())
        return cls.load(folder, origin)

    @classmethod
    def load(cls, folder: Path, origin: str) -> "BrokerKeys":
        """Read both keys. Raises NotFound `key-missing`, Conflict `key-weak`."""
        return cls(
            receipt=SigningKey.from_bytes(read_secret(folder / RECEIPT, SEED_SIZE)),
            log=log_signers(origin, read_secret(folder / LOG, SECRET_SIZE)),
        )
