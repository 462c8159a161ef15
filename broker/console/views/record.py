# SPDX-License-Identifier: EUPL-1.2
"""Logboek: the checkpoints, that one continues another, and proof files that anybody brings along.

The browser checks everything itself (static/log.js); without scripts the server says what it found.
"""

import json
from typing import Any

from broker.console.listing import Cell, Column, Kind, Listing
from broker.console.pages import EVERYONE, INDEX, Context, Download, Page, View, moment_of
from broker.console.views.today import record_of
from broker.storage.log_port import KeptCheckpoint
from sluis.checkpoint import Checkpoint, verify_checkpoint, verify_log_signature
from sluis.errors import InvalidInput, SluisError
from sluis.merkle import leaf_hash, verify_consistency, verify_inclusion
from sluis.note import Note, encode_base64
from sluis.tlog_proof import TlogProof

NEWEST = 1 << 62

COLUMNS = (
    Column(key="size", heading="page.log.size", kind=Kind.NUMBER),
    Column(key="at", heading="page.log.at", kind=Kind.MOMENT),
    Column(key="log", heading="page.log.signer"),
    Column(key="witnesses", heading="page.log.cosigners"),
    Column(key="root", heading="page.log.root"),
)


def show(context: Context) -> View:
    """Show the checkpoints, newest first, and the pair that was chosen."""
    record = context.reader.record
    before = int(context.filters.get("before", NEWEST))
    kept = record.checkpoints(before, context.limit)
    older = context.link(before=str(kept[-1].size)) if len(kept) == context.limit else ""
    pair, problem = None, ""
    if "first" in context.filters and "second" in context.filters:
        try:
            pair = _pair(context, int(context.filters["first"]), int(context.filters["second"]))
        except SluisError as error:
            problem = error.code
    return View(
        values={
            "record": record_of(context),
            "sizes": [one.size for one in kept],
            "pair": pair,
            "problem": problem,
            "log_keys": list(context.keys.log),
            "witness_keys": list(context.keys.witnesses),
        },
        listing=Listing(columns=COLUMNS, rows=[_row(one) for one in kept], older=older),
    )


def consistency(context: Context) -> Download:
    """Give the proof between two sizes as JSON: {"first": 3, "second": 9, "hashes": [base64, ...]}."""
    if not {"first", "second"} <= context.filters.keys():
        raise InvalidInput("malformed-request", "two sizes are due", where="first, second")
    first, second = int(context.filters["first"]), int(context.filters["second"])
    hashes = context.reader.record.consistency(first, second)
    document = {"first": first, "second": second, "hashes": [encode_base64(item) for item in hashes]}
    return Download(
        name=f"sluis-{first}-{second}.json",
        media_type="application/json",
        content=json.dumps(document).encode() + b"\n",
    )


def check(context: Context) -> View:
    """Check a proof file with the server's keys; what was sent is neither shown again nor kept."""
    proof, entry = (_lines(context.form.get(name, "")) for name in ("proof", "entry"))
    return View(values=_checked(context, proof + "\n", entry.encode("utf-8", "replace")))


def _pair(context: Context, first: int, second: int) -> dict[str, Any]:
    """Two checkpoints, the proof between them, and what the server found."""
    record = context.reader.record
    first, second = min(first, second), max(first, second)
    one, two = record.checkpoint(first), record.checkpoint(second)
    hashes = record.consistency(first, second)
    try:
        trees = [verify_log_signature(Note.parse(kept.note), context.keys.log) for kept in (one, two)]
        verify_consistency(first, second, hashes, trees[0].root, trees[1].root)
        verdict = "consistent"
    except SluisError:
        verdict = "inconsistent"
    return {
        "first": one,
        "second": two,
        "hashes": [encode_base64(item) for item in hashes],
        "verdict": verdict,
        "keys": " ".join(map(str, context.keys.log)),
        "witnesses": " ".join(map(str, context.keys.witnesses)),
    }


def _row(kept: KeptCheckpoint) -> dict[str, Cell]:
    note = Note.parse(kept.note)
    checkpoint = Checkpoint.parse(note.text)
    names = dict.fromkeys(signature.name for signature in note.signatures)
    return {
        "size": kept.size,
        "at": moment_of(kept.signed_at_ms),
        "log": checkpoint.origin if checkpoint.origin in names else "",
        "witnesses": ", ".join(name for name in names if name != checkpoint.origin),
        "root": checkpoint.root.hex(),
    }


def _checked(context: Context, text: str, entry: bytes) -> dict[str, Any]:
    try:
        proof = TlogProof.parse(text)
    except SluisError:
        return {"verdict": "no-proof", "good": False, "facts": {}}
    try:
        verified = verify_checkpoint(proof.checkpoint, context.keys.log, context.keys.witnesses, 0)
    except SluisError:
        return {"verdict": "signature", "good": False, "facts": {}}
    tree = verified.checkpoint
    facts = {
        "index": proof.index,
        "size": tree.size,
        "witnesses": ", ".join(verified.cosigners) or "–",
    }
    if not entry:
        return {"verdict": "no-entry", "good": False, "facts": facts}
    try:
        verify_inclusion(leaf_hash(entry), proof.index, tree.size, proof.hashes, tree.root)
    except SluisError:
        return {"verdict": "not-included", "good": False, "facts": facts}
    return {"verdict": "included", "good": True, "facts": facts}


def _lines(text: str) -> str:
    """Line ends of a form are CR LF; those of a proof file are LF."""
    return text.replace("\r\n", "\n").strip()


SIZES = {"first": INDEX, "second": INDEX}

PAGES = (
    Page(
        path="/logboek",
        name="log",
        handler=show,
        roles=EVERYONE,
        logged=False,
        filters={"before": INDEX, **SIZES},
        listed=True,
    ),
    Page(
        path="/logboek/consistentie",
        name="consistency",
        handler=consistency,
        roles=EVERYONE,
        logged=False,
        filters=SIZES,
        menu=False,
    ),
    Page(
        path="/logboek/bewijs",
        name="proof",
        handler=check,
        roles=EVERYONE,
        logged=False,
        method="POST",
        menu=False,
    ),
)
