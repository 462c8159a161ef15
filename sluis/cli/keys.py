# SPDX-License-Identifier: EUPL-1.2
"""`sluis keys ...`: make and show keys. Nothing is ever overwritten."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from sluis.cards import PartyCard
from sluis.certificates import certificate_oin
from sluis.cli.extras import needs_extra
from sluis.cli.output import print_json, say
from sluis.errors import InvalidInput
from sluis.identifiers import Oin
from sluis.keys import KeyFolder, read_secret, write_secret
from sluis.signing import SEED_SIZE, SigningKey

app = typer.Typer(help="Make and show keys.", no_args_is_help=True)

Folder = Annotated[Path, typer.Argument(help="The key folder.")]


@app.command()
def new(
    folder: Folder,
    oin: Annotated[str, typer.Option("--oin", help="Your OIN, 20 digits.")],
    name: Annotated[str, typer.Option("--name", help="Your name, as it will stand in the certificate.")],
) -> None:
    """Make a participant's keys and the request for its TLS certificate."""
    KeyFolder.create(folder, name=name, oin=Oin.parse(oin))
    say(f"made keys in {folder}; have your authority sign {folder / 'tls.csr'} and put the answer there")
    say("as tls.crt (chain, leaf first) with its roots as ca.crt; then run `sluis keys card`")


@app.command()
def card(
    folder: Folder,
    name: Annotated[str, typer.Option("--name", help="Your name, as other participants will see it.")],
    out: Annotated[Path, typer.Option("--out", help="Where to write the card.")],
) -> None:
    """Make your card: your public keys, signed under your TLS certificate, for the broker's operator."""
    keys = KeyFolder(path=folder)
    write_card(keys, keys, keys, name, out)


def write_card(keys: KeyFolder, certified: KeyFolder, trusted: KeyFolder, name: str, out: Path) -> None:
    """Write a card of the keys in one folder, signed under the certificate in another, and check it."""
    chain = certified.tls_chain()
    made = PartyCard.create(
        oin=certificate_oin(chain[0]),
        name=name,
        signing_key=keys.signing().public,
        sealing_key=keys.sealing().public,
        created_at=datetime.now(UTC),
        certificate_chain=chain,
        private_key=certified.tls_private_key(),
    )
    made.verify(trusted.roots(), datetime.now(UTC))
    out.write_bytes(made.encode())
    say(f"wrote {out}")


@app.command()
def show(folder: Folder) -> None:
    """Print the public halves of a participant's keys."""
    keys = KeyFolder(path=folder)
    leaf = keys.tls_chain()[0]
    print_json(
        {
            "oin": certificate_oin(leaf),
            "signing_key": keys.signing().public.raw.hex(),
            "certificate_until": leaf.not_valid_after_utc.isoformat(),
        }
    )


@app.command()
def broker(
    folder: Folder,
    origin: Annotated[str, typer.Option("--origin", help="The log's name, such as sluis.example/log/2026.")],
    show_only: Annotated[bool, typer.Option("--show", help="Print those that exist; make none.")] = False,
    make_next: Annotated[
        bool, typer.Option("--next", help="Make those that come; after a restart both sign checkpoints.")
    ] = False,
    switch: Annotated[
        bool, typer.Option("--switch", help="Put those in use, once everybody knows them; then restart.")
    ] = False,
) -> None:
    """Make the broker's receipt key and log key, and print what participants need to know of them."""
    with needs_extra("broker"):
        from broker.keys import BrokerKeys
    if show_only + make_next + switch > 1:
        raise InvalidInput("malformed-request", "one of --show, --next and --switch")
    act = BrokerKeys.create
    if show_only:
        act = BrokerKeys.load
    elif make_next:
        act = BrokerKeys.create_next
    elif switch:
        act = BrokerKeys.switch
    keys = act(folder, origin)
    print_json(
        {
            "receipt_key": keys.receipt.public.raw.hex(),
            "log_vkeys": [str(signer.vkey) for signer in keys.log],
        }
    )


@app.command()
def officer(
    key: Annotated[Path, typer.Argument(help="The key file to make.")],
    show_only: Annotated[bool, typer.Option("--show", help="Print the one that exists; make none.")] = False,
) -> None:
    """Make the key with which an officer signs changes of the rules, and print its public half."""
    if not show_only:
        write_secret(key, SigningKey.generate().to_bytes())
    public = SigningKey.from_bytes(read_secret(key, SEED_SIZE)).public
    print_json({"officer_key": public.raw.hex()})


@app.command()
def evaluator(
    seeds: Annotated[Path, typer.Argument(help="The seed file to make.")],
    oin: Annotated[str, typer.Option("--oin", help="The evaluator's OIN.")],
    epoch: Annotated[list[str], typer.Option("--epoch", help="An epoch, such as 2026; repeat for more.")],
) -> None:
    """Make an evaluator's secret seeds, one for each epoch."""
    from evaluator.shares import EvaluatorShares

    shares = EvaluatorShares.create(seeds, oin=Oin.parse(oin), epochs=epoch)
    say(f"made {seeds} with epochs {', '.join(shares.epochs)}; whoever holds it and the other evaluator's")
    say("can work every pseudonym back: keep it, and its backup, away from theirs")


@app.command("add-epoch")
def add_epoch(
    seeds: Annotated[Path, typer.Argument(help="The seed file.")],
    epoch: Annotated[str, typer.Argument(help="The new epoch, such as 2027.")],
) -> None:
    """Draw the seed of a new epoch; a running evaluator publishes its keys within a second."""
    from evaluator.shares import EvaluatorShares

    EvaluatorShares.load(seeds).add_epoch(seeds, epoch)
    say(f"added epoch {epoch}")


@app.command()
def witness(
    key: Annotated[Path, typer.Argument(help="The key file to make.")],
    name: Annotated[str, typer.Option("--name", help="The witness's name, such as witness.example/w1.")],
    show_only: Annotated[bool, typer.Option("--show", help="Print those that exist; make none.")] = False,
) -> None:
    """Make a witness's key, and print its verifier keys."""
    with needs_extra("witness"):
        from witness.keys import create_witness_key, load_witness_key
    vkeys = (
        [signer.vkey for signer in load_witness_key(key, name)]
        if show_only
        else create_witness_key(key, name)
    )
    print_json({"witness_vkeys": [str(vkey) for vkey in vkeys]})
