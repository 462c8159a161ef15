# SPDX-License-Identifier: EUPL-1.2
"""`sluis policy explain`: what would be decided, before anything is sealed or sent."""

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import typer

from sluis.cli.output import EXIT_DENIED, print_json, say
from sluis.client import Kit, KitSettings
from sluis.errors import InvalidInput
from sluis.v1 import envelope_pb2, policy_pb2

app = typer.Typer(help="The rules.", no_args_is_help=True)
Config = Annotated[Path, typer.Option("--config", help="Your sluis.toml.", envvar="SLUIS_CONFIG")]
TOML = Path("sluis.toml")


@app.callback()
def _policy() -> None:
    """The rules."""


@app.command()
def explain(
    to: Annotated[str, typer.Option("--to", help="The recipient's OIN.")],
    field: Annotated[list[str], typer.Option("--field", help="A field's name; repeat for more.")],
    claim: Annotated[list[str] | None, typer.Option("--claim", help="name=value; repeat for more.")] = None,
    suppose: Annotated[list[str] | None, typer.Option("--suppose", help="A fact to suppose proven.")] = None,
    kind: Annotated[str, typer.Option("--kind")] = "FINE_IMPOSED",
    purpose: Annotated[str, typer.Option("--purpose")] = "CERTIFICAATBEOORDELING",
    operation: Annotated[str, typer.Option("--operation")] = "push",
    delivery: Annotated[str, typer.Option("--delivery")] = "mailbox",
    english: Annotated[bool, typer.Option("--english", help="Explain in English.")] = False,
    config: Config = TOML,
) -> None:
    """Ask the broker what it would decide now. Exit code 3: it would deny."""
    claims = dict(_pair(item) for item in claim or [])

    async def run() -> None:
        async with Kit.open(KitSettings.load(config)) as kit:
            request = policy_pb2.ExplainRequest(
                operation=operation,
                agreement=kit.agreement,
                recipient_oin=to,
                kind=kind,
                purpose=purpose,
                fields=[_field(kit, name) for name in field],
                claims=claims,
                suppose=suppose or [],
                delivery=delivery,
            )
            answer = await kit.connections.patiently(
                lambda: kit.connections.policy.Explain(request, timeout=10)
            )
        say(answer.english if english else answer.dutch)
        for miss in answer.near_misses:
            say(miss.english if english else miss.dutch)
        decision = answer.decision
        permitted = decision.effect == envelope_pb2.EFFECT_PERMIT
        print_json(
            {
                "effect": "permit" if permitted else "deny",
                "rules": list(decision.rule_ids),
                "reasons": [reason.code for reason in decision.reasons],
                "released": list(decision.released),
                "withheld": {item.name: item.reason for item in decision.withheld},
                "near_misses": {
                    miss.rule_id: [reason.code for reason in miss.missing] for miss in answer.near_misses
                },
                "assumed": decision.assumed,
                "policy": decision.policy_digest,
            }
        )
        if not permitted:
            sys.exit(EXIT_DENIED)

    asyncio.run(run())


def _field(kit: Kit, name: str) -> policy_pb2.ExplainField:
    spec = kit.bundle.fields.get(name)
    if spec is None:
        raise InvalidInput("unknown-value", "the catalogue has no such field", where=name)
    return policy_pb2.ExplainField(name=name, category=spec.category.value)


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise InvalidInput("malformed-request", "a claim is name=value", where="--claim")
    return name, value
