# SPDX-License-Identifier: EUPL-1.2
"""`sluis hold ...`: an officer signs that data are kept beyond their term, or that they may go again."""

import asyncio
import secrets
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from sluis.cli.one_subject import read_subject
from sluis.cli.output import print_json, say
from sluis.client import Kit, KitSettings
from sluis.client.subject import own_pseudonyms
from sluis.errors import InvalidInput, NotFound
from sluis.hold import HoldAct, HoldReason, HoldScope, HoldStatement, SubjectOpening, new_hold
from sluis.keys import read_secret
from sluis.signing import SEED_SIZE, SigningKey

app = typer.Typer(help="Keep data from destruction: what two officers sign.", no_args_is_help=True)

Officer = Annotated[str, typer.Option("--officer", help="Your reference, as enrolled at the broker.")]
Key = Annotated[Path, typer.Option("--key", help="Your key file, from `sluis keys officer`.")]
Out = Annotated[Path, typer.Option("--out", help="Where to write the signed statement.")]
Statement = Annotated[Path, typer.Argument(help="A statement of the hold.")]
Why = Annotated[HoldReason, typer.Option("--reason", help="Why the data are kept.")]
TOML = Path("sluis.toml")


@app.command()
def ask(
    target: Annotated[
        str, typer.Argument(help="An exchange's id, or your organisation's OIN with --scope party.")
    ],
    officer: Officer,
    key: Key,
    reason: Why,
    out: Out,
    scope: Annotated[HoldScope, typer.Option("--scope", help="exchange or party.")] = HoldScope.EXCHANGE,
) -> None:
    """Sign that an exchange, or all exchanges of your organisation, must be kept."""
    if scope is HoldScope.SUBJECT:
        raise InvalidInput("malformed-request", "for a subject there is `sluis hold ask-subject`")
    _sign(_new(scope, target, reason, officer), key, out)


@app.command("ask-subject")
def ask_subject(
    identifier: Annotated[
        str, typer.Argument(help="The subject's number; `-` reads it from standard input.")
    ],
    officer: Officer,
    key: Key,
    reason: Why,
    out: Out,
    opening: Annotated[
        Path, typer.Option("--opening", help="Where to write what the broker needs to find it.")
    ],
    type: Annotated[str, typer.Option("--type", help="What sort of number: bsn, kvk, ...")] = "bsn",
    config: Annotated[Path, typer.Option("--config", help="Your sluis.toml.", envvar="SLUIS_CONFIG")] = TOML,
) -> None:
    """Sign that your exchanges about a subject must be kept; the number itself is not sent and not written."""
    wanted = read_subject(identifier, type)

    async def run() -> SubjectOpening:
        async with Kit.open(KitSettings.load(config)) as kit:
            found, not_asked = await own_pseudonyms(wanted, kit.connections, kit.pseudonymiser)
        for agreement, recipient, epoch, code in not_asked:
            say(f"not under the hold: {agreement} {recipient} {epoch} [{code}]")
        rows = tuple(sorted((d.agreement, d.recipient_oin, d.epoch, p) for d, p in found))
        return SubjectOpening(salt=secrets.token_bytes(32), subjects=rows)

    secret = asyncio.run(run())
    _write(opening, secret.encode() + b"\n", secret=True)
    say(
        f"wrote {opening}: pseudonyms in {len(secret.subjects)} domains; the broker needs it with the statements"
    )
    _sign(_new(HoldScope.SUBJECT, secret.commitment(), reason, officer), key, out)


@app.command()
def agree(statement: Statement, officer: Officer, key: Key, out: Out) -> None:
    """Sign, as another officer, that you agree to a hold or to lifting it."""
    asked = _read(statement)
    acts = {HoldAct.HOLD: HoldAct.APPROVE_HOLD, HoldAct.LIFT: HoldAct.APPROVE_LIFT}
    if asked.act not in acts:
        raise InvalidInput("malformed-request", "this statement agrees already", where=str(statement))
    if asked.officer == officer:
        raise InvalidInput("malformed-request", "who asked cannot agree", where="--officer")
    _sign(replace(asked, act=acts[asked.act], officer=officer, at=_now(), signature=b""), key, out)


@app.command()
def lift(statement: Statement, officer: Officer, key: Key, out: Out) -> None:
    """Sign that a hold is over; give the statement by which it was asked."""
    asked = _read(statement)
    _sign(replace(asked, act=HoldAct.LIFT, officer=officer, at=_now(), signature=b""), key, out)


def _new(scope: HoldScope, target: str, reason: HoldReason, officer: str) -> HoldStatement:
    return HoldStatement(
        act=HoldAct.HOLD,
        hold=new_hold(),
        scope=scope,
        target=target,
        reason=reason,
        officer=officer,
        at=_now(),
    )


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def _sign(statement: HoldStatement, key: Path, out: Path) -> None:
    signed = statement.signed(SigningKey.from_bytes(read_secret(key, SEED_SIZE)))
    _write(out, signed.encode() + b"\n")
    say(f"wrote {out}: {signed.officer} signs `{signed.act}` about the hold {signed.hold}")
    print_json({"hold": signed.hold, "act": signed.act, "scope": signed.scope, "target": signed.target})


def _read(path: Path) -> HoldStatement:
    try:
        return HoldStatement.parse(path.read_bytes())
    except OSError:
        raise NotFound("file-not-found", where=str(path)) from None


def _write(path: Path, data: bytes, *, secret: bool = False) -> None:
    try:
        path.touch(mode=0o600 if secret else 0o644, exist_ok=True)
        if secret:
            path.chmod(0o600)
        path.write_bytes(data)
    except OSError:
        raise NotFound("file-not-found", "cannot write there", where=str(path)) from None
