# SPDX-License-Identifier: EUPL-1.2
"""New keys for a participant without losing a message in flight: files beside those of the key folder.

    next/signing.key, sealing.key [, tls.key, tls.csr, tls.crt]     made, not in use until the broker has their card
    next/switching                                                  the switch has begun, and is finished at any start
    old/sealing-<id>.key                                            replaced; may still be needed to open
    old/sealing-<id>.json    {"before":null,"replaced_at_ms":...}   since when, and what was pushed before which entry

A replaced signing key is destroyed at the switch. A replaced sealing key stays until nothing that was sealed for it
waits or can come: `OldKey`. Every step may be repeated, so a crash anywhere loses nothing.
"""

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec

from sluis.certificates import certificate_oin, certificate_request
from sluis.errors import Conflict, NotFound, SluisError
from sluis.keys import (
    SEALING,
    SIGNING,
    TLS_CERTIFICATE,
    TLS_KEY,
    TLS_REQUEST,
    KeyFolder,
    private_key_pem,
    read_secret,
    write_new,
    write_secret,
)
from sluis.sealing_keys import PRIVATE_SIZE, SealingKey
from sluis.signing import SigningKey
from sluis.sqlite_file import sync_folder

NEXT: Final = "next"
OLD: Final = "old"
SWITCHING: Final = "switching"
# A sender may send for 30 days what it has sealed, and its kit knows a card for five minutes; a day of margin.
CAN_COME_MS: Final = 31 * 86_400_000


def begin_renewal(folder: KeyFolder, *, tls_name: str = "") -> Path:
    """Make the next signing and sealing keys, and with a name a TLS key and request; returns their folder.

    Raises Conflict `key-exists` while an earlier renewal is not finished.
    """
    made = folder.path / NEXT
    if made.exists():
        raise Conflict("key-exists", f"`{made}` holds keys that were made before; use those")
    made.mkdir(mode=0o700)
    write_secret(made / SIGNING, SigningKey.generate().to_bytes())
    write_secret(made / SEALING, SealingKey.generate().to_bytes())
    if tls_name:
        tls = ec.generate_private_key(ec.SECP256R1())
        oin = certificate_oin(folder.tls_chain()[0])
        write_new(made / TLS_KEY, private_key_pem(tls), mode=0o600)
        write_new(made / TLS_REQUEST, certificate_request(tls, name=tls_name, oin=oin), mode=0o644)
    sync_folder(folder.path)
    return made


def next_folder(folder: KeyFolder) -> KeyFolder | None:
    """The next keys, if a renewal has begun."""
    made = KeyFolder(path=folder.path / NEXT)
    return made if (made.path / SIGNING).exists() else None


def certified_folder(folder: KeyFolder) -> KeyFolder:
    """Where the TLS key and certificate are under which the next card is signed.

    Raises NotFound `key-missing` when the next TLS key has no certificate yet.
    """
    made = KeyFolder(path=folder.path / NEXT)
    if not (made.path / TLS_KEY).exists():
        return folder
    made.tls_certificate_pem()
    return made


def switch(folder: KeyFolder, now_ms: int) -> None:
    """Put the next keys in use, now that the broker has their card; the replaced sealing key is kept."""
    made = folder.path / NEXT
    if not (made / SIGNING).exists() and not (made / SWITCHING).exists():
        raise NotFound("key-missing", "there are no next keys: make them with `sluis keys renew`")
    if not (made / SWITCHING).exists():
        write_new(made / SWITCHING, str(now_ms).encode(), mode=0o600)
        sync_folder(made)
    finish_switch(folder)


def finish_switch(folder: KeyFolder) -> bool:
    """Finish a switch that has begun; False when none has."""
    made = folder.path / NEXT
    try:
        now_ms = int((made / SWITCHING).read_text("ascii"))
    except (OSError, ValueError):
        return False
    if (made / SEALING).exists():
        _keep_old(folder, now_ms)
    for name in (SEALING, SIGNING, TLS_KEY, TLS_CERTIFICATE):
        if (made / name).exists():
            (made / name).replace(folder.path / name)
    sync_folder(folder.path)
    (made / TLS_REQUEST).unlink(missing_ok=True)
    (made / SWITCHING).unlink()
    made.rmdir()
    sync_folder(folder.path)
    return True


def _keep_old(folder: KeyFolder, now_ms: int) -> None:
    key = folder.sealing()
    name = hashlib.sha256(key.public.x25519).hexdigest()[:16]
    old = folder.path / OLD
    old.mkdir(mode=0o700, exist_ok=True)
    if not (old / f"sealing-{name}.key").exists():
        OldKey(path=old / f"sealing-{name}.key", replaced_at_ms=now_ms, before=None).note()
        write_secret(old / f"sealing-{name}.key", key.to_bytes())
    sync_folder(old)


@dataclass(frozen=True, slots=True, kw_only=True)
class OldKey:
    """A replaced sealing key. What was sealed for it was pushed before the entry `before`, once that is known."""

    path: Path
    replaced_at_ms: int
    before: int | None

    def can_come(self, now_ms: int) -> bool:
        """Whether a signal that was sealed for it may still be on its way."""
        return now_ms < self.replaced_at_ms + CAN_COME_MS

    def note(self) -> None:
        """Write what is known of it, durably."""
        target = self.path.with_suffix(".json")
        fresh = target.with_suffix(".new")
        fresh.unlink(missing_ok=True)
        content = {"before": self.before, "replaced_at_ms": self.replaced_at_ms}
        write_new(fresh, json.dumps(content).encode() + b"\n", mode=0o600)
        fresh.replace(target)
        sync_folder(self.path.parent)

    def destroy(self) -> None:
        """Overwrite and remove it. What a disk or a backup still holds of it is for its owner to destroy."""
        with self.path.open("r+b") as file:
            file.write(b"0" * (2 * PRIVATE_SIZE))
            file.flush()
            os.fsync(file.fileno())
        self.path.unlink()
        self.path.with_suffix(".json").unlink(missing_ok=True)
        sync_folder(self.path.parent)


def old_keys(folder: KeyFolder) -> Iterator[OldKey]:
    """The replaced sealing keys, by name."""
    for path in sorted((folder.path / OLD).glob("sealing-*.key")):
        try:
            content = json.loads(path.with_suffix(".json").read_text("ascii"))
            before = content["before"]
            yield OldKey(
                path=path,
                replaced_at_ms=int(content["replaced_at_ms"]),
                before=None if before is None else int(before),
            )
        except (OSError, ValueError, KeyError, TypeError):
            # Nothing is known of it, so it counts as replaced today: it is kept the longest.
            yield OldKey(path=path, replaced_at_ms=int(path.stat().st_mtime * 1000), before=None)


def sealing_keys_beside(folder: KeyFolder) -> tuple[SealingKey, ...]:
    """The next sealing key, if any, and the replaced ones. Raises Conflict `key-weak`."""
    found = []
    made = next_folder(folder)
    if made is not None and (made.path / SEALING).exists():
        found.append(made.sealing())
    found += [SealingKey.from_bytes(read_secret(old.path, PRIVATE_SIZE)) for old in old_keys(folder)]
    return tuple(found)


def next_signing(folder: KeyFolder) -> SigningKey | None:
    """The next signing key, if a renewal has begun. Raises Conflict `key-weak`."""
    made = next_folder(folder)
    try:
        return made.signing() if made is not None else None
    except SluisError:
        raise Conflict("key-weak", f"`{folder.path / NEXT}` holds no proper keys: remove it") from None
