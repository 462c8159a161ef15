# SPDX-License-Identifier: EUPL-1.2
"""The tree of commands."""

from typing import Annotated

import typer

from sluis import __version__
from sluis.cli import (
    audit,
    audit_adl,
    audit_evidence,
    audit_receipts,
    audit_statistics,
    audit_subject,
    console,
    demo,
    evaluator_epochs,
    exchange,
    followups,
    hold,
    keys,
    keys_renewal,
    operator,
    operator_cards,
    operator_epochs,
    operator_retention,
    policy,
    policy_change,
    policy_export,
    policy_odrl,
    policy_office,
    policy_test,
    services,
    watch,
)

app = typer.Typer(
    help="Sluis: privacy-preserving data exchange between supervisors.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.add_typer(keys.app, name="keys")
app.add_typer(operator.app, name="broker")
operator.app.registered_commands += operator_retention.app.registered_commands
app.add_typer(hold.app, name="hold")
operator.app.registered_commands += operator_cards.app.registered_commands
operator.app.add_typer(operator_epochs.app, name="epoch")
keys.app.registered_commands += keys_renewal.app.registered_commands
services.evaluator.registered_commands += evaluator_epochs.app.registered_commands
app.add_typer(console.app, name="console")
app.add_typer(services.evaluator, name="evaluator")
app.add_typer(services.witness, name="witness")
app.add_typer(audit.app, name="audit")
app.add_typer(policy.app, name="policy")
for topic in (policy_test, policy_change, policy_office):
    policy.app.registered_commands += topic.app.registered_commands
policy_export.export.registered_commands += policy_odrl.app.registered_commands
policy.app.add_typer(policy_export.export, name="export")
for audit_topic in (audit_adl, audit_evidence, audit_receipts, audit_statistics, audit_subject):
    audit.app.registered_commands += audit_topic.app.registered_commands
app.command("register")(exchange.register)
app.command("push")(exchange.push)
app.command("receive")(exchange.receive)
app.command("match")(exchange.match)
app.command("watch")(watch.watch)
for after in (
    followups.ask,
    followups.answer,
    followups.feedback,
    followups.attend,
    followups.correct,
    followups.rectify,
    followups.recall,
    followups.inbox,
    followups.overdue,
):
    app.command(after.__name__)(after)
app.command("demo")(demo.demo)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Sluis: privacy-preserving data exchange between supervisors."""
