# SPDX-License-Identifier: EUPL-1.2
"""Changing the rules: what is in force, propose, approve, activate, and replay of what was decided."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from sluis.cli.extras import needs_extra
from sluis.cli.operator import open_broker
from sluis.cli.output import EXIT_FAILED, print_json, progress_bar, say
from sluis.client import Kit, KitSettings
from sluis.errors import InvalidInput, NotFound
from sluis.keys import read_secret
from sluis.policy.approval import Act, PolicyStatement
from sluis.policy.archive import unpack
from sluis.policy.bundle import ZONE, Bundle, load_bundle, read_bundle, read_files
from sluis.policy.cases import load_cases
from sluis.signing import SEED_SIZE, SigningKey
from sluis.v1 import policy_pb2

if TYPE_CHECKING:
    from broker.policy.replay import Replay
    from broker.storage.port import Store

app = typer.Typer()

Config = Annotated[Path, typer.Option("--config", help="Your sluis.toml.", envvar="SLUIS_CONFIG")]
BrokerConfig = Annotated[
    Path | None, typer.Option("--config", help="The broker's TOML file; the environment wins over it.")
]
Rules = Annotated[Path, typer.Argument(help="The folder with the new rules.")]
Officer = Annotated[str, typer.Option("--officer", help="Your reference, as enrolled at the broker.")]
Key = Annotated[Path, typer.Option("--key", help="Your key file, from `sluis keys officer`.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; it stays with the statement.")]
Before = Annotated[
    Path | None, typer.Option("--from", help="The rules in force, saved earlier; else the broker is asked.")
]
Out = Annotated[Path, typer.Option("--out", help="Where to write the signed statement.")]
TOML = Path("sluis.toml")


@app.command()
def current(
    out: Annotated[Path | None, typer.Option("--out", help="Write the rule files below this folder.")] = None,
    digest: Annotated[str, typer.Option("--digest", help="Rules that were in force earlier.")] = "",
    config: Config = TOML,
) -> None:
    """Show which rules decide at the broker, checked against their digest, and save them on request."""
    answer = asyncio.run(_fetch(config, digest))
    files = unpack(answer.archive)
    bundle = read_bundle(files)
    if bundle.digest != answer.digest or (digest and digest != answer.digest):
        raise InvalidInput("malformed-rule", "the broker's rules are not those of their digest")
    if out is not None:
        _save(files, out)
        say(f"wrote {len(files)} files below {out}")
    print_json(
        {
            "policy": bundle.digest,
            "activated_at": _utc(answer.activated_at_ms),
            "log_index": answer.log_index,
            "agreements": sorted(bundle.agreements),
            "rules": len(bundle.rules),
        }
    )


@app.command()
def propose(
    rules: Rules,
    officer: Officer,
    key: Key,
    reason: Reason,
    out: Out,
    before: Before = None,
    config: Config = TOML,
) -> None:
    """Compare new rules with those in force, and sign that you propose them."""
    active, new = _compared(rules, before, config)
    _sign(_statement(Act.PROPOSE, active, new, officer, reason), key, out)


@app.command()
def approve(
    proposal: Annotated[Path, typer.Argument(help="The statement of who proposed.")],
    rules: Rules,
    officer: Officer,
    key: Key,
    reason: Reason,
    out: Out,
    before: Before = None,
    config: Config = TOML,
) -> None:
    """Compare the proposed rules with those in force yourself, and sign that you approve them."""
    proposed = PolicyStatement.parse(_read(proposal))
    active, new = _compared(rules, before, config)
    if (active.digest, new.digest) != (proposed.from_digest, proposed.to_digest):
        raise InvalidInput(
            "malformed-request", "the proposal is about other rules than these", where=str(proposal)
        )
    if officer == proposed.officer:
        raise InvalidInput("malformed-request", "who proposed cannot approve", where="--officer")
    _sign(_statement(Act.APPROVE, active, new, officer, reason), key, out)


@app.command()
def activate(
    rules: Rules,
    statement: Annotated[
        list[Path], typer.Option("--statement", help="A signed statement; repeat for more.")
    ],
    config: BrokerConfig = None,
) -> None:
    """Put new rules in force at the broker: needs the statements of two officers."""
    statements = [PolicyStatement.parse(_read(path)) for path in statement]
    store, _, _ = open_broker(config)
    from broker.policy.activation import Activator
    from sluis.rpc.server import utc_now

    try:
        done = Activator(store, utc_now).activate(read_files(rules), statements)
    finally:
        store.close()
    say(f"in force from log index {done.log_index} on; the broker follows without a restart")
    print_json(
        {
            "policy": done.after,
            "replaces": done.before,
            "verdict": done.change.verdict.value,
            "log_index": done.log_index,
        }
    )


@app.command()
def history(config: BrokerConfig = None) -> None:
    """List every change of the rules at the broker."""
    store, _, _ = open_broker(config)
    try:
        rows = [
            {"log_index": row.log_index, "policy": row.digest, "activated_at": _utc(row.at_ms)}
            for row in store.activations()
        ]
    finally:
        store.close()
    print_json(rows)


@app.command()
def replay(
    bundle: Annotated[
        Path | None,
        typer.Option("--bundle", help="Other rules; without it those of then: does the record hold?"),
    ] = None,
    start: Annotated[str, typer.Option("--from", help="First day, YYYY-MM-DD, in Dutch time.")] = "",
    end: Annotated[str, typer.Option("--to", help="Last day, YYYY-MM-DD, in Dutch time.")] = "",
    config: BrokerConfig = None,
) -> None:
    """Decide past exchanges again. Exit code 1 when, under the rules of then, one comes out otherwise."""
    other = load_bundle(bundle) if bundle else None
    store, _, _ = open_broker(config)
    try:
        result = _replay(store, other, _midnight(start, 0), _midnight(end, 1))
    finally:
        store.close()
    say(f"{result.replayed} decided again: {result.same} the same, {result.changed} otherwise")
    if result.destroyed:
        say(
            f"{result.destroyed} cannot be decided again: their term ended, and what they were decided on is destroyed"
        )
    if result.not_kept:
        say(f"{result.not_kept} were about words that the rules did not know; those are never kept")
    print_json(_report(result))
    if other is None and result.changed:
        raise typer.Exit(EXIT_FAILED)


def _replay(store: "Store", other: Bundle | None, start: datetime | None, end: datetime | None) -> "Replay":
    from broker.policy.active import stored_bundle
    from broker.policy.replay import destroyed_between, in_period, replay

    known: dict[str, Bundle] = {}

    def bundle_of(digest: str) -> Bundle:
        if other is not None:
            return other
        if digest not in known:
            known[digest] = stored_bundle(store, digest)
        return known[digest]

    size = store.head().tree.size
    with progress_bar("replay", size) as progress:
        result = replay(in_period(store.decided(0, size), start, end), bundle_of, progress)
        result.destroyed = destroyed_between(store.retention.bare(0, size), start, end)
    return result


def _report(result: "Replay") -> dict[str, object]:
    return {
        "replayed": result.replayed,
        "same": result.same,
        "not_kept": result.not_kept,
        "destroyed": result.destroyed,
        "changed": [
            {
                "count": count,
                "before": change.before,
                "after": change.after,
                "rule_before": change.rule_before,
                "rule_after": change.rule_after,
                "what": change.what,
                "log_indexes": result.examples[change],
            }
            for change, count in result.changes.most_common()
        ],
    }


async def _fetch(config: Path, digest: str) -> policy_pb2.GetPolicyResponse:
    async with Kit.open(KitSettings.load(config)) as kit:
        request = policy_pb2.GetPolicyRequest(digest=digest)
        return await kit.connections.patiently(lambda: kit.connections.policy.GetPolicy(request, timeout=10))


def _compared(rules: Path, before: Path | None, config: Path) -> tuple[Bundle, Bundle]:
    """The rules in force and the new ones, with the difference told."""
    active = load_bundle(before) if before else read_bundle(unpack(asyncio.run(_fetch(config, "")).archive))
    new = load_bundle(rules)
    _run_cases(new, rules)
    _tell_difference(active, new)
    return active, new


def _statement(act: Act, active: Bundle, new: Bundle, officer: str, reason: str) -> PolicyStatement:
    return PolicyStatement(
        act=act,
        from_digest=active.digest,
        to_digest=new.digest,
        officer=officer,
        reason=reason,
        at=datetime.now(UTC).replace(microsecond=0),
    )


def _run_cases(bundle: Bundle, rules: Path) -> None:
    """The cases beside the new rules must come out as written; a folder without cases has none to fail."""
    with needs_extra("broker"):
        from broker.policy.cases import run_cases
    if not (rules / "cases").is_dir():
        say(f"note: {rules} holds no cases; nothing shows that these rules do what their writers mean")
        return
    outcomes = run_cases(load_cases(rules, bundle), bundle)
    failed = [outcome for outcome in outcomes if outcome.differences]
    for outcome in failed:
        say(f"{outcome.case.name}: {'; '.join(outcome.differences)}")
    if failed:
        raise InvalidInput(
            "malformed-rule", f"{len(failed)} cases do not come out as written", where=str(rules)
        )
    say(f"{len(outcomes)} cases come out as written")


def _tell_difference(active: Bundle, new: Bundle) -> None:
    with needs_extra("broker"):
        from broker.policy.change.diff import diff
    change = diff(active, new)
    for line in change.lines:
        say(f"{line.agreement or 'catalogus'} | {line.flow.dutch} | {line.text.dutch}")
    say(change.summary.dutch)
    functions = [approval.function for approval in change.required_approvals if approval.function]
    if functions:
        say(f"among those who sign must be: {', '.join(functions)}")


def _sign(statement: PolicyStatement, key: Path, out: Path) -> None:
    signed = statement.signed(SigningKey.from_bytes(read_secret(key, SEED_SIZE)))
    try:
        out.write_bytes(signed.encode() + b"\n")
    except OSError:
        raise NotFound("file-not-found", "cannot write there", where=str(out)) from None
    say(f"wrote {out}: {statement.officer} signs to {statement.act} {statement.to_digest}")


def _save(files: Mapping[str, bytes], out: Path) -> None:
    for name, data in files.items():
        path = out / name
        if out.resolve() not in path.resolve().parents:
            raise InvalidInput("malformed-rule", "a rule file has a strange name")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def _midnight(day: str, later: int) -> datetime | None:
    """The moment at which a day begins in the Netherlands; with `later` = 1, at which it ends."""
    if not day:
        return None
    try:
        return datetime.combine(date.fromisoformat(day) + timedelta(days=later), time(), ZoneInfo(ZONE))
    except (ValueError, OverflowError):
        raise InvalidInput("date-format", where=day) from None


def _utc(time_ms: int) -> str:
    return f"{datetime.fromtimestamp(time_ms / 1000, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        raise NotFound("file-not-found", where=str(path)) from None
