# SPDX-License-Identifier: EUPL-1.2
"""Keeps received signals in a file, one JSON object a line, on disk before they are acknowledged.

A signal that stands there already, after a crash between keeping and noting, is not written again.

{"signal_id": "...", "log_index": 12, "kind": "FINE_IMPOSED", "sender": "...", "previous": null,
 "fields": {"establishment_number": "...", ...}, "claims": {...}, "withheld": 0, "expires_at": "..."}
"""

import asyncio
import json
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from sluis.client.receiver import Keep, ReceivedSignal
from sluis.errors import InvalidInput, Unavailable


def keep_in(path: Path) -> Keep:
    """Return a keeper that appends to a file of mode 600 and waits for the disk.

    The keeper raises Unavailable `storage-unavailable`, or InvalidInput `malformed-encoding` for a file that is not
    ours; nothing is then acknowledged.
    """

    known: set[str] | None = None

    async def keep(signals: Sequence[ReceivedSignal]) -> None:
        nonlocal known
        if known is None:
            known = await asyncio.to_thread(_signal_ids, path)
        new = [signal for signal in signals if str(signal.header.signal_id) not in known]
        await asyncio.to_thread(_append, path, new)
        known |= {str(signal.header.signal_id) for signal in new}

    return keep


def _signal_ids(path: Path) -> set[str]:
    """The signals in the file; a last line that a crash cut short is taken off."""
    found: set[str] = set()
    if not path.exists():
        return found
    whole = 0
    with path.open("rb+") as file:
        for line in file:
            if not line.endswith(b"\n"):
                file.truncate(whole)
                break
            whole += len(line)
            try:
                found.add(str(json.loads(line)["signal_id"]))
            except (ValueError, KeyError, TypeError):
                message = "the file for received signals holds something else"
                raise InvalidInput("malformed-encoding", message, where=str(path)) from None
    return found


def _append(path: Path, signals: Sequence[ReceivedSignal]) -> None:
    lines = "".join(json.dumps(as_json(signal), ensure_ascii=False) + "\n" for signal in signals)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(lines)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise Unavailable("storage-unavailable", f"cannot write received signals: {error.strerror}") from None


def as_json(signal: ReceivedSignal) -> dict[str, object]:
    """A received signal as JSON."""
    header = signal.header
    expires = datetime.fromtimestamp(header.expires_at_ms / 1000, UTC)
    return {
        "signal_id": str(header.signal_id),
        "log_index": signal.log_index,
        "agreement": header.agreement,
        "kind": header.kind,
        "purpose": header.purpose,
        "sender": header.sender,
        "previous": str(header.previous) if header.previous else None,
        "fields": dict(signal.fields),
        "claims": dict(header.claims),
        "withheld": signal.withheld,
        "expires_at": expires.isoformat(timespec="seconds"),
    }
