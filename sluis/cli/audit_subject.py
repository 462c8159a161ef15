# SPDX-License-Identifier: EUPL-1.2
"""`sluis audit subject`: what your organisation exchanged about one data subject (AVG art. 15)."""

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from sluis.cli.one_subject import read_subject
from sluis.cli.output import say
from sluis.client import Kit, KitSettings
from sluis.client.subject import SubjectReport, ask_subject
from sluis.errors import InvalidInput, SluisError
from sluis.identifiers import Oin
from sluis.subject_answer import exchange_answer, header, letter, officer_note

app = typer.Typer()

Config = Annotated[Path, typer.Option("--config", help="Your sluis.toml.", envvar="SLUIS_CONFIG")]
TOML = Path("sluis.toml")


@app.command()
def subject(
    identifier: Annotated[
        str, typer.Argument(help="The subject's number; `-` reads it from standard input.")
    ],
    out: Annotated[
        Path,
        typer.Option("--out", help="Where to write the answer (.json), and beside it the letter (.txt)."),
    ],
    type: Annotated[
        str,
        typer.Option(
            "--type", help="What sort of number: bsn, kvk, ...; `persoon`: given names;surname;date."
        ),
    ] = "bsn",
    config: Config = TOML,
) -> None:
    """Write what your organisation exchanged about a subject; the number itself is not sent and not written.

    A number on the command line stays in the history of your shell: `-` avoids that.
    """
    if out.suffix != ".json":
        raise InvalidInput("malformed-request", "the answer's name ends with .json", where="--out")
    wanted = read_subject(identifier, type)

    async def run() -> dict[str, Any]:
        async with Kit.open(KitSettings.load(config)) as kit:
            report = await ask_subject(wanted, kit.oin, kit.connections, kit.trust, kit.pseudonymiser)
            return await _answer(kit, report)

    answer = asyncio.run(run())
    draft, note = out.with_suffix(".txt"), out.with_name(f"{out.stem}-officer.txt")
    _write(out, json.dumps(answer, ensure_ascii=False, indent=2) + "\n")
    _write(draft, letter(answer))
    _write(note, officer_note(answer))
    held = sum(item["hold_back"] is not None for item in answer["exchanges"])
    say(f"{len(answer['exchanges'])} exchanges in {answer['domains_asked']} domains")
    say(f"{held} of them are for you to decide (UAVG article 41): see {note}")
    for item in answer["domains_not_asked"]:
        say(f"not asked: {item['agreement']} {item['recipient']} {item['epoch']} [{item['code']}]")
    say(f"wrote {out}, {draft} and {note}")


async def _answer(kit: Kit, report: SubjectReport) -> dict[str, Any]:
    oins = {kit.oin} | {
        Oin.parse(str(entry.content[side]))
        for found in report.exchanges
        for entry in found.entries
        for side in ("sender", "recipient")
        if side in entry.content
    }
    names: dict[str, str] = {oin: await _name(kit, oin) for oin in sorted(oins)}
    return {
        **header(kit.oin, names[kit.oin], datetime.now(UTC)),
        "domains_asked": report.domains,
        "domains_not_asked": [
            dict(zip(("agreement", "recipient", "epoch", "code"), item, strict=True))
            for item in report.not_asked
        ],
        "exchanges": [exchange_answer(found, kit.oin, names, kit.bundle) for found in report.exchanges],
    }


async def _name(kit: Kit, oin: Oin) -> str:
    try:
        return (await kit.trust.card(oin)).name
    except SluisError:  # stopped since, or its certificate expired: then the number tells
        return ""


def _write(path: Path, text: str) -> None:
    """Write a file that only its owner reads."""
    try:
        path.touch(mode=0o600, exist_ok=True)
        path.chmod(0o600)
        path.write_text(text, "utf-8")
    except OSError:
        raise InvalidInput("malformed-config", "cannot write this file", where=str(path)) from None
