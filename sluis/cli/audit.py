# SPDX-License-Identifier: EUPL-1.2
"""`sluis audit verify|show|prove|check|policy`: recompute the log, read an entry, prove it, say whom you trust."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from sluis.canonical import parse_canonical
from sluis.cli.audit_evidence import verify_bundle
from sluis.cli.output import print_json, progress_bar, say
from sluis.client import Kit, KitSettings
from sluis.errors import NotFound
from sluis.tlog_proof import TlogProof

app = typer.Typer(help="Verify and read the log.", no_args_is_help=True)

Config = Annotated[Path, typer.Option("--config", help="Your sluis.toml.", envvar="SLUIS_CONFIG")]
Json = Annotated[bool, typer.Option("--json", help="Print the report as JSON.")]
TOML = Path("sluis.toml")


@app.command()
def verify(
    bundle: Annotated[
        Path | None, typer.Argument(help="An evidence bundle to check offline, instead of the whole log.")
    ] = None,
    log_vkey: Annotated[list[str] | None, typer.Option(help="For a bundle: the log's key.")] = None,
    witness_vkey: Annotated[list[str] | None, typer.Option(help="For a bundle: a witness's key.")] = None,
    quorum: Annotated[
        int | None, typer.Option(help="For a bundle: how many witnesses; else all given.")
    ] = None,
    config: Config = TOML,
    as_data: Json = False,
    resume: Annotated[
        bool, typer.Option("--resume/--from-start", help="Go on with a run that was interrupted, if any.")
    ] = True,
) -> None:
    """Recompute every entry, the tree, the checkpoint and its cosignatures (for privacy officers).

    With a bundle: check that one file, under the keys given or those in your sluis.toml.
    """
    if bundle is not None:
        verify_bundle(bundle, config, log_vkey or (), witness_vkey or (), quorum)
        return

    async def run() -> None:
        async with Kit.open(KitSettings.load(config)) as kit:
            size = (await kit.trust.checkpoint()).size
            with progress_bar("verify", size) as progress:
                seen = [0]

                def step(done: int, _size: int) -> None:
                    progress(done - seen[0])
                    seen[0] = done

                if not resume:
                    kit.auditor.start_again()
                report = await kit.auditor.verify(progress=step, resume=True)
        log = report.log
        if log is None or report.checkpoint is None:
            return
        if report.resumed_at:
            say(f"went on after {report.resumed_at} entries that an interrupted run had read")
        say(f"the log is intact: {log.size} entries recomputed, root {report.checkpoint.root.hex()}")
        say(f"checkpoint signed by the log and cosigned by {', '.join(report.cosigners)}")
        if as_data:
            print_json(
                {
                    "size": log.size,
                    "root": report.checkpoint.root.hex(),
                    "verified": True,
                    "resumed_at": report.resumed_at,
                    "cosigners": list(report.cosigners),
                    "operations": dict(report.operations),
                    "decisions": dict(report.decisions),
                }
            )

    asyncio.run(run())


@app.command()
def show(
    log_index: Annotated[int, typer.Argument(help="The index of the entry.", min=0)], config: Config = TOML
) -> None:
    """Print an entry after proving that it is in the log."""

    async def run() -> None:
        async with Kit.open(KitSettings.load(config)) as kit:
            entry = await kit.auditor.entry(log_index)
            checkpoint = await kit.trust.prove_inclusion(log_index, entry)
        say(f"entry {log_index} is included in the checkpoint of {checkpoint.size} entries")
        print_json(parse_canonical(entry))

    asyncio.run(run())


@app.command()
def prove(
    log_index: Annotated[int, typer.Argument(help="The index of the entry.", min=0)],
    out: Annotated[Path, typer.Option("--out", help="Where to write the proof (C2SP tlog-proof).")],
    config: Config = TOML,
) -> None:
    """Write a proof that holds offline: entry, inclusion proof, signed and cosigned checkpoint."""

    async def run() -> None:
        async with Kit.open(KitSettings.load(config)) as kit:
            entry = await kit.auditor.entry(log_index)
            checkpoint, text = await kit.trust.checkpoint_text(log_index + 1)
            hashes = await kit.trust.inclusion(log_index, checkpoint.size)
        proof = TlogProof(index=log_index, hashes=tuple(hashes), checkpoint=text, extra=entry)
        out.write_text(proof.format(), encoding="utf-8")
        say(f"wrote {out}; the entry itself is in its `extra` line")
        print_json(json.loads(entry))

    asyncio.run(run())


@app.command()
def check(
    proof: Annotated[Path, typer.Argument(help="A proof file, from `sluis audit prove`.")],
    config: Config = TOML,
) -> None:
    """Check a proof file offline, against the log and witness keys in your sluis.toml."""
    settings = KitSettings.load(config)
    try:
        text = proof.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise NotFound("file-not-found", where=str(proof)) from None
    parsed = TlogProof.parse(text)
    verified = parsed.verify_under(parsed.extra, settings.trusted_log())
    say(
        f"entry {parsed.index} is in the log {verified.checkpoint.origin} of {verified.checkpoint.size} entries, "
        f"cosigned by {', '.join(verified.cosigners)}"
    )
    print_json(parse_canonical(parsed.extra))


@app.command("policy")
def log_policy(config: Config = TOML, as_data: Json = False) -> None:
    """Print which log and witnesses your sluis.toml trusts, as a policy file (C2SP tlog-policy)."""
    policy = KitSettings.load(config).trusted_log()
    if not as_data:
        sys.stdout.buffer.write(policy.format())
        sys.stdout.buffer.flush()
        return
    print_json(
        {
            "logs": [str(vkey) for vkey in policy.log_vkeys],
            "witnesses": {_shown(known.name): str(known.vkey) for known in policy.witnesses},
            "groups": {
                _shown(group.name): {
                    "threshold": group.threshold,
                    "members": [_shown(name) for name in group.members],
                }
                for group in policy.groups
            },
            "quorum": _shown(policy.quorum),
        }
    )


def _shown(name: str) -> str:
    """A name may be any bytes; what is no UTF-8 cannot be written as JSON."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
