# SPDX-License-Identifier: EUPL-1.2
"""`sluis audit bundle`, and `sluis audit verify bundle.zip`: evidence to take away, and its check offline."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from sluis.checkpoint import LOG_TYPES, WITNESS_TYPES, parse_vkeys
from sluis.cli.output import print_json, say
from sluis.client import Kit, KitSettings
from sluis.client.evidence import gather_evidence
from sluis.errors import InvalidInput, NotFound
from sluis.evidence import VerifiedEvidence, verify_evidence
from sluis.stored_zip import MAX_BYTES
from sluis.tlog_policy import TlogPolicy

app = typer.Typer()

Config = Annotated[Path, typer.Option("--config", help="Your sluis.toml.", envvar="SLUIS_CONFIG")]
TOML = Path("sluis.toml")


@app.command()
def bundle(
    exchange: Annotated[str, typer.Argument(help="The id of the exchange: its signal's UUID.")],
    out: Annotated[Path, typer.Option("--out", help="Where to write the evidence bundle (.zip).")],
    config: Config = TOML,
) -> None:
    """Write all evidence on one exchange into a file that holds offline (for its parties and privacy officers)."""

    async def run() -> bytes:
        async with Kit.open(KitSettings.load(config)) as kit:
            return await gather_evidence(exchange, kit.connections, kit.trust)

    data = asyncio.run(run())
    out.write_bytes(data)
    say(f"wrote {out}: {len(data)} bytes; check it with `sluis audit verify {out}`")


def verify_bundle(
    file: Path, config: Path, log_keys: Sequence[str], witness_keys: Sequence[str], quorum: int | None
) -> None:
    """Check a bundle under the keys given, or without any, under those of a sluis.toml; print what it holds."""
    if log_keys:
        logs, witnesses = parse_vkeys(log_keys, LOG_TYPES), parse_vkeys(witness_keys, WITNESS_TYPES)
        due = len({vkey.name for vkey in witnesses}) if quorum is None else quorum
        policy = TlogPolicy.of(logs, witnesses, due)
    elif witness_keys or quorum is not None:
        raise InvalidInput("malformed-request", "give the log's key too", where="--log-vkey")
    else:
        policy = KitSettings.load(config).trusted_log()
    found = verify_evidence(_read(file), policy)
    _tell(found)


def _tell(found: VerifiedEvidence) -> None:
    tree = found.checkpoint.checkpoint
    say(f"exchange {found.exchange}: {len(found.entries)} entries stand in the log {tree.origin}")
    for index, entry in found.entries.items():
        decision = f", {entry['decision']}" if "decision" in entry else ""
        say(f"  entry {index}: {entry['operation']} at {entry['time']}{decision}")
    cosigners = ", ".join(found.checkpoint.cosigners) or "no witness that you gave"
    say(f"checkpoint of {tree.size} entries, cosigned by {cosigners}")
    if not found.prose_checked:
        say(f"note: Sluis {found.version} made this; its texts for reading (.md) were not checked")
    print_json(
        {
            "verified": True,
            "exchange": found.exchange,
            "origin": tree.origin,
            "size": tree.size,
            "root": tree.root.hex(),
            "cosigners": list(found.checkpoint.cosigners),
            "rules": list(found.rules),
            "prose_checked": found.prose_checked,
            "entries": {str(index): dict(entry) for index, entry in found.entries.items()},
        }
    )


def _read(file: Path) -> bytes:
    try:
        with file.open("rb") as stream:
            return stream.read(MAX_BYTES + 1)
    except OSError:
        raise NotFound("file-not-found", where=str(file)) from None
