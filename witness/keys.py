# SPDX-License-Identifier: EUPL-1.2
"""The witness's key file: the secret of `sluis.checkpoint_signers` as hex, mode 600, never overwritten."""

from pathlib import Path

from sluis.checkpoint_signers import SECRET_SIZE, CheckpointSigner, new_secret, witness_signers
from sluis.errors import Conflict, NotFound
from sluis.keys import read_secret, write_secret
from sluis.note import VKey
from sluis.signing import SEED_SIZE


def create_witness_key(path: Path, name: str) -> tuple[VKey, ...]:
    """Make a key file and return the verifier keys to publish. Raises Conflict `key-exists`."""
    secret = new_secret()
    vkeys = tuple(signer.vkey for signer in witness_signers(name, secret))
    write_secret(path, secret)
    return vkeys


def load_witness_key(path: Path, name: str) -> tuple[CheckpointSigner, ...]:
    """Read a key file. Raises NotFound `key-missing`; Conflict `key-weak` (open to others, or not random)."""
    try:
        secret = read_secret(path, SECRET_SIZE)
    except NotFound:
        raise NotFound(
            "key-missing", f"`{path}` is missing or cannot be read: make one with `sluis keys witness`"
        ) from None
    halves = secret[:SEED_SIZE], secret[SEED_SIZE:]
    if halves[0] == halves[1] or any(len(set(half)) == 1 for half in halves):
        raise Conflict("key-weak", f"`{path}` holds no random key")
    return witness_signers(name, secret)
