# SPDX-License-Identifier: EUPL-1.2
"""The broker's own keys, in its key folder beside the TLS files.

receipt.key        Ed25519 seed, 32 bytes hex: receipts and redaction statements
log.key            Ed25519 and ML-DSA-44 seeds, 64 bytes hex: checkpoints
next/receipt.key, next/log.key      those that come, during an overlap

In an overlap every checkpoint bears the signatures of both log keys under one origin (c2sp.org/signed-note: lines of
unknown keys are passed over), so it holds for whoever knows either. Receipts are signed with the present key until
the switch; readers accept several, because what an old one signed is kept for years.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sluis.checkpoint_signers import SECRET_SIZE, CheckpointSigner, log_signers, new_secret
from sluis.errors import NotFound
from sluis.keys import read_secret, write_secret
from sluis.signing import SEED_SIZE, SigningKey
from sluis.sqlite_file import sync_folder

RECEIPT = "receipt.key"
LOG = "log.key"
NEXT: Final = "next"


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerKeys:
    """What the broker signs with; `log` has the keys of both sides of an overlap."""

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
        """Read the keys, those that come included. Raises NotFound `key-missing`, Conflict `key-weak`."""
        log = log_signers(origin, read_secret(folder / LOG, SECRET_SIZE))
        if (folder / NEXT / LOG).exists():
            log += log_signers(origin, read_secret(folder / NEXT / LOG, SECRET_SIZE))
        return cls(receipt=SigningKey.from_bytes(read_secret(folder / RECEIPT, SEED_SIZE)), log=log)

    @classmethod
    def create_next(cls, folder: Path, origin: str) -> "BrokerKeys":
        """Make the keys that come; restart the broker to begin the overlap. Raises Conflict `key-exists`."""
        made = folder / NEXT
        made.mkdir(mode=0o700, exist_ok=True)
        return cls.create(made, origin)

    @classmethod
    def switch(cls, folder: Path, origin: str) -> "BrokerKeys":
        """Put the keys that come in the place of the present ones, which are gone. Raises NotFound `key-missing`.

        May be repeated after a crash: each file is moved as a whole.
        """
        made = folder / NEXT
        if not any((made / name).exists() for name in (RECEIPT, LOG)):
            raise NotFound("key-missing", "there are no next keys: make them with `sluis keys broker --next`")
        for name in (LOG, RECEIPT):
            if (made / name).exists():
                read_secret(made / name, SECRET_SIZE if name == LOG else SEED_SIZE)
                (made / name).replace(folder / name)
        sync_folder(folder)
        made.rmdir()
        return cls.load(folder, origin)
