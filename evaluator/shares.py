# SPDX-License-Identifier: EUPL-1.2
"""An evaluator's key shares: one secret seed per epoch, and from it a key pair per domain.

    {"oin": "<20 digits>", "seeds": {"2026": "<32 bytes, hex>", ...}}     one file, mode 0600

    key pair of a domain = RFC 9497 DeriveKeyPair(seed of its epoch, domain info), VOPRF mode

Erasing an epoch's seed makes every pseudonym of that epoch unrepeatable, for good. The file holds
the seeds in the clear: guard it as the key it is. Derived keys are wiped from memory when freed.
"""

import json
import os
import secrets
from collections.abc import Iterable, Mapping
from pathlib import Path
from threading import Lock
from typing import Final

from sluis.errors import Conflict, InvalidInput, NotFound, Unavailable
from sluis.identifiers import Oin
from sluis.keylog import KeyPublication
from sluis.oprf import SEED_SIZE, KeyPair, derive_key_pair
from sluis.pseudonyms import PseudonymisationDomain, check_epoch
from sluis.signing import SigningKey
from sluis.sqlite_file import check_private, reason, sync_folder

_WHAT: Final = "the evaluator's seed file"
_MOST_DOMAINS: Final = 4_096  # key pairs kept; the oldest goes first
_MOST_BYTES: Final = 1 << 20


class EvaluatorShares:
    """The seeds of one evaluator, and the key pairs derived so far."""

    def __init__(self, *, oin: Oin, seeds: Mapping[str, bytes]) -> None:
        """Take checked seeds; Conflict `key-weak` for one that is no proper secret."""
        if len(set(seeds.values())) != len(seeds):
            raise Conflict("key-weak", f"{_WHAT} has the same seed for two epochs; make a new one")
        for epoch, seed in seeds.items():
            check_epoch(epoch)
            if len(seed) != SEED_SIZE or len(set(seed)) == 1:
                raise Conflict("key-weak", f"{_WHAT} has a seed that is no 32 random bytes; make a new one")
        self.oin = oin
        self._seeds = dict(seeds)
        self._keys: dict[bytes, KeyPair] = {}
        self._lock = Lock()

    @classmethod
    def create(cls, path: Path, *, oin: Oin, epochs: Iterable[str]) -> "EvaluatorShares":
        """Draw a seed per epoch into a new file; Conflict `key-exists` when there is one."""
        made = cls(oin=oin, seeds={check_epoch(epoch): secrets.token_bytes(SEED_SIZE) for epoch in epochs})
        _write(path, made.oin, made._seeds)
        return made

    @classmethod
    def load(cls, path: Path) -> "EvaluatorShares":
        """Read the file.

        Raises NotFound `key-missing`, Conflict `key-weak` when others may read it or it is damaged.
        """
        try:
            with path.open("rb") as file:
                check_private(os.fstat(file.fileno()), _WHAT)
                data = file.read(_MOST_BYTES)
        except FileNotFoundError:
            raise NotFound("key-missing", f"{_WHAT} is missing: make one with `sluis keys new`") from None
        except OSError as error:
            raise Conflict("key-weak", f"{_WHAT} cannot be read: {reason(error)}") from None
        return cls.parse(data)

    @classmethod
    def parse(cls, data: bytes) -> "EvaluatorShares":
        """Read the file's JSON; Conflict `key-weak` on anything but the form above."""
        try:
            content = json.loads(data)
            if set(content) != {"oin", "seeds"} or not isinstance(content["oin"], str):
                raise ValueError
            seeds = {epoch: bytes.fromhex(seed) for epoch, seed in content["seeds"].items()}
            return cls(oin=Oin(content["oin"]), seeds=seeds)
        except (ValueError, TypeError, AttributeError, RecursionError, InvalidInput):
            raise Conflict("key-weak", f"{_WHAT} is damaged: restore it from its backup") from None

    @property
    def epochs(self) -> tuple[str, ...]:
        """The epochs that have a seed, sorted."""
        return tuple(sorted(self._seeds))

    def add_epoch(self, path: Path, epoch: str) -> None:
        """Draw a seed for one more epoch and write the file; Conflict `key-exists` when it has one."""
        with self._lock:
            if check_epoch(epoch) in self._seeds:
                raise Conflict("key-exists", "this epoch has a seed already; it is not replaced")
            self._replace(path, {**self._seeds, epoch: secrets.token_bytes(SEED_SIZE)})

    def reload(self, path: Path) -> bool:
        """Take the seeds that the file has now; False when they are the same.

        Raises Conflict `key-weak` for another seed of an epoch that this process has: that is never right.
        """
        fresh = EvaluatorShares.load(path)
        with self._lock:
            if fresh._seeds == self._seeds:
                return False
            if any(self._seeds.get(epoch, seed) != seed for epoch, seed in fresh._seeds.items()):
                raise Conflict("key-weak", f"{_WHAT} has another seed for an epoch than before")
            self._seeds = dict(fresh._seeds)
            self._keys.clear()
        return True

    def forget_epoch(self, path: Path, epoch: str) -> None:
        """Erase an epoch's seed and its keys. There is no way back."""
        with self._lock:
            self._seed(epoch)
            self._replace(path, {kept: seed for kept, seed in self._seeds.items() if kept != epoch})
            self._keys.clear()

    def key_pair(self, domain: PseudonymisationDomain) -> KeyPair:
        """Derive the key pair of a domain; InvalidInput `unknown-epoch` when its epoch has no seed."""
        info = domain.info()
        with self._lock:
            keys = self._keys.get(info)
            if keys is None:
                keys = derive_key_pair(self._seed(domain.epoch), info)
                if len(self._keys) >= _MOST_DOMAINS:
                    del self._keys[next(iter(self._keys))]
                self._keys[info] = keys
            return keys

    def publication(
        self, domain: PseudonymisationDomain, signing_key: SigningKey, created_at_ms: int
    ) -> KeyPublication:
        """Publish the share of a domain, with proof of possession, signed."""
        return KeyPublication.create(
            evaluator=self.oin,
            domain=domain,
            keys=self.key_pair(domain),
            signing_key=signing_key,
            created_at_ms=created_at_ms,
        )

    def __repr__(self) -> str:
        return f"<EvaluatorShares of {self.oin}: {', '.join(self.epochs)}>"

    def _seed(self, epoch: str) -> bytes:
        try:
            return self._seeds[epoch]
        except KeyError:
            raise InvalidInput("unknown-epoch") from None

    def _replace(self, path: Path, seeds: dict[str, bytes]) -> None:
        fresh = path.with_name(path.name + ".new")
        fresh.unlink(missing_ok=True)
        _write(fresh, self.oin, seeds)
        with path.open("r+b") as before:
            fresh.replace(path)
            sync_folder(path.parent)
            self._seeds = seeds
            # What the old file held may hold a seed that is to be gone.
            size = os.fstat(before.fileno()).st_size
            before.write(b" " * size)
            before.flush()
            os.fsync(before.fileno())


def _write(path: Path, oin: Oin, seeds: Mapping[str, bytes]) -> None:
    content = {"oin": oin, "seeds": {epoch: seeds[epoch].hex() for epoch in sorted(seeds)}}
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="ascii") as file:
            json.dump(content, file, indent=1)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        sync_folder(path.parent)
    except FileExistsError:
        raise Conflict("key-exists") from None
    except OSError as error:
        raise Unavailable("storage-unavailable", f"cannot write {_WHAT}: {reason(error)}") from None
