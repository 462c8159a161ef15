# SPDX-License-Identifier: EUPL-1.2
"""`sluis keys renew`, `next-card`, `switch` and `prune`: new keys without losing a message in flight."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from sluis.cli.keys import Folder, write_card
from sluis.cli.output import print_json, say
from sluis.client import Kit, KitSettings
from sluis.errors import NotFound
from sluis.key_renewal import OldKey, begin_renewal, certified_folder, next_folder, switch
from sluis.keys import KeyFolder

app = typer.Typer()

Config = Annotated[Path, typer.Option("--config", help="Your sluis.toml.", envvar="SLUIS_CONFIG")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
TOML = Path("sluis.toml")


@app.command()
def renew(
    folder: Folder,
    tls: Annotated[
        str, typer.Option("--tls", help="Also a new TLS key, and a request for this name; empty: keep it.")
    ] = "",
    as_data: Json = False,
) -> None:
    """Make your next signing and sealing keys, beside the present ones, which stay in use."""
    made = begin_renewal(KeyFolder(path=folder), tls_name=tls)
    if tls:
        say(f"have your authority sign {made / 'tls.csr'}, and put the answer there as tls.crt; then")
    say(f"run `sluis keys next-card {folder}` and have the broker's operator admit that card")
    if as_data:
        print_json({"next": str(made), "tls": bool(tls)})


@app.command("next-card")
def next_card(
    folder: Folder,
    name: Annotated[str, typer.Option("--name", help="Your name, as other participants will see it.")],
    out: Annotated[Path, typer.Option("--out", help="Where to write the card.")],
) -> None:
    """Make the card of your next keys; once it is admitted, your kit makes the switch by itself."""
    keys = KeyFolder(path=folder)
    made = next_folder(keys)
    if made is None:
        raise NotFound("key-missing", "there are no next keys: make them with `sluis keys renew`")
    write_card(made, certified_folder(keys), keys, name, out)


@app.command("switch")
def switch_now(folder: Folder) -> None:
    """Put the next keys in use: for a participant that does not send, or an evaluator, after its card is admitted."""
    switch(KeyFolder(path=folder), int(datetime.now(UTC).timestamp() * 1000))
    say("the next keys are in use; the replaced sealing key is kept until `sluis keys prune` may destroy it")


@app.command()
def prune(config: Config = TOML, as_data: Json = False) -> None:
    """Destroy replaced sealing keys for which nothing waits and nothing can come; run it daily."""

    async def run() -> tuple[list[OldKey], int]:
        settings = KitSettings.load(config)
        async with Kit.open(settings) as kit:
            return await kit.prune_keys(KeyFolder(path=settings.keys))

    destroyed, kept = asyncio.run(run())
    say(f"destroyed {len(destroyed)} replaced sealing keys; {kept} may still be needed")
    if as_data:
        print_json({"destroyed": [key.path.name for key in destroyed], "kept": kept})
