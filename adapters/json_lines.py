# SPDX-License-Identifier: EUPL-1.2
"""Keeps received signals in a file, one JSON object a line, on disk before they are acknowledged.

A signal that stands there already, after a crash between keeping and noting, is not written again.

{"signal_id": "...", "log_index": 12, "kind": "FINE_IMPOSED", "sender": "...", "previous": null,
 "fields": {"establishment_number": "...", ...}, "claims": {...}, "withheld": 0, "expires_at": "..."}

What its sender says of it later is written on its line under `follow_ups`; of a copy that is to be destroyed only
{"signal_id": "...", "destroyed": {"follow_up": "...", "act": "recall", "codes": {...}}} stays.
"""

import asyncio
import fcntl
import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from sluis.client.receiver import Keep, ReceivedSignal
from sluis.errors import InvalidInput, Unavailable
from sluis.followup import FollowUp
from sluis.sqlite_file import sync_folder


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


@dataclass(frozen=True, slots=True)
class JsonLines:
    """The copies in such files. Raises Unavailable and InvalidInput as the keeper does."""

    paths: tuple[Path, ...]

    def mark(self, signal_id: UUID, statement: FollowUp) -> bool:
        """Write beside the copy what was said of it, once; whether there is one."""

        def marked(line: dict[str, Any]) -> dict[str, Any]:
            said = _said(statement)
            before = line.get("follow_ups", [])
            if "destroyed" in line or said in before:
                return line
            return {**line, "follow_ups": [*before, said]}

        return self._change(signal_id, marked)

    def destroy(self, signal_id: UUID, statement: FollowUp) -> bool:
        """Leave of the copy only that it was destroyed, and why; whether there is, or was, one."""

        def destroyed(line: dict[str, Any]) -> dict[str, Any]:
            return (
                line if "destroyed" in line else {"signal_id": str(signal_id), "destroyed": _said(statement)}
            )

        return self._change(signal_id, destroyed)

    def _change(self, signal_id: UUID, change: Callable[[dict[str, Any]], dict[str, Any]]) -> bool:
        # Every file, also behind one that has it: a signal may have been kept twice.
        found = [_rewrite(path, str(signal_id), change) for path in self.paths if path.exists()]
        return any(found)


def _said(statement: FollowUp) -> dict[str, object]:
    return {
        "follow_up": str(statement.follow_up_id),
        "act": statement.act.value,
        "codes": dict(statement.codes),
        **({"replacement": str(statement.replacement)} if statement.replacement else {}),
    }


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold off other processes that would append to the file, or put another in its place."""
    handle = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _signal_ids(path: Path) -> set[str]:
    """The signals in the file; a last line that a crash cut short is taken off."""
    if not path.exists():
        return set()
    with _locked(path):
        return {str(line["signal_id"]) for line in _lines(path)}


def _lines(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    whole = 0
    with path.open("rb+") as file:
        for line in file:
            if not line.endswith(b"\n"):
                file.truncate(whole)
                break
            whole += len(line)
            try:
                members = json.loads(line)
                str(members["signal_id"])
            except (ValueError, KeyError, TypeError):
                message = "the file for received signals holds something else"
                raise InvalidInput("malformed-encoding", message, where=str(path)) from None
            found.append(members)
    return found


def _rewrite(path: Path, signal_id: str, change: Callable[[dict[str, Any]], dict[str, Any]]) -> bool:
    """Change a signal's line, in a new file that takes the old one's place; whether the signal stands there."""
    with _locked(path):
        lines = _lines(path)
        new = [change(line) if line["signal_id"] == signal_id else line for line in lines]
        if new != lines:
            beside = path.with_name(path.name + ".new")
            try:
                beside.unlink(missing_ok=True)
                _write(beside, new, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
                beside.replace(path)
                sync_folder(path.parent)
            except OSError as error:
                raise _unwritable(error) from None
        return any(line["signal_id"] == signal_id for line in lines)


def _append(path: Path, signals: Sequence[ReceivedSignal]) -> None:
    try:
        with _locked(path):
            _write(path, [as_json(signal) for signal in signals], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    except OSError as error:
        raise _unwritable(error) from None


def _write(path: Path, lines: Sequence[dict[str, Any]], flags: int) -> None:
    with os.fdopen(os.open(path, flags, 0o600), "w", encoding="utf-8") as file:
        file.write("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))
        file.flush()
        os.fsync(file.fileno())


def _unwritable(error: OSError) -> Unavailable:
    return Unavailable("storage-unavailable", f"cannot write received signals: {error.strerror}")


def as_json(signal: ReceivedSignal) -> dict[str, Any]:
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
