# SPDX-License-Identifier: EUPL-1.2
"""`sluis ask`, `answer`, `feedback`, `attend`, `correct`, `rectify`, `recall`, `inbox`, `overdue`."""

import asyncio
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

from adapters.json_lines import JsonLines
from sluis.cli.audit_receipts import check_receipts
from sluis.cli.output import EXIT_DENIED, EXIT_FAILED, say
from sluis.cli.reports import MOST_SHOWN, TOML, Config, finish
from sluis.client import Kit, KitSettings
from sluis.client.follow_up_book import Heard
from sluis.errors import InvalidInput, NotFound
from sluis.followup import Act, parse_uuid7
from sluis.v1 import envelope_pb2, followup_pb2

Signal = Annotated[str, typer.Argument(help="The signal's id.")]
Json = Annotated[bool, typer.Option("--json", help="Print the report as JSON.")]
Reason = Annotated[str, typer.Option("--reason", help="A reason of catalog/follow_ups.yaml.")]


def ask(
    signal: Signal,
    question: Annotated[str, typer.Option("--question", help="A question of catalog/follow_ups.yaml.")],
    config: Config = TOML,
    as_data: Json = False,
) -> None:
    """Ask the sender of a signal that you received a question about it."""
    _say(config, Act.ASK, signal, {"question": question}, as_data)


def answer(
    question: Annotated[str, typer.Argument(help="The id of the question, as `sluis inbox` shows it.")],
    word: Annotated[str, typer.Option("--answer", help="An answer of catalog/follow_ups.yaml.")],
    config: Config = TOML,
    as_data: Json = False,
) -> None:
    """Answer a question about a signal that you sent."""

    async def run() -> None:
        refers_to = parse_uuid7(question, "question")
        async with Kit.open(KitSettings.load(config)) as kit:
            asked = kit.follow_ups.book.history(refers_to.bytes)
            if not asked or asked[0].statement.act is not Act.ASK:
                raise NotFound("not-asked", "run `sluis inbox` first to take in what was asked")
            about = asked[0].statement.signal_id
            response = await kit.follow_ups.say(Act.ANSWER, about, {"answer": word}, refers_to=refers_to)
            alarm = await check_receipts(kit)
        _told(Act.ANSWER, about, response, as_data, alarm=alarm)

    asyncio.run(run())


def feedback(
    signal: Signal,
    outcome: Annotated[str, typer.Option("--outcome", help="What came of it, such as CONFIRMED.")],
    usability: Annotated[str | None, typer.Option("--usability", help="1 (not usable) to 4.")] = None,
    reason: Annotated[str | None, typer.Option("--reason", help="Why nothing came of it.")] = None,
    measure: Annotated[str | None, typer.Option("--measure", help="What was done.")] = None,
    config: Config = TOML,
    as_data: Json = False,
) -> None:
    """Tell the sender what came of a signal that you received."""
    given = {"outcome": outcome, "usability": usability, "reason": reason, "measure": measure}
    codes = {name: word for name, word in given.items() if word is not None}
    _say(config, Act.FEEDBACK, signal, codes, as_data)


def attend(
    signal: Signal,
    function: Annotated[str, typer.Option("--function", help="Whose: a function of catalog/functions.yaml.")],
    config: Config = TOML,
    as_data: Json = False,
) -> None:
    """State that a person has looked at a signal of severity 4: her function, not her name."""
    _say(config, Act.ATTEND, signal, {"function": function}, as_data)


def correct(
    signal: Signal,
    fields: Annotated[Path, typer.Argument(help="JSON: every field of the right signal, by name.")],
    reason: Reason,
    config: Config = TOML,
    as_data: Json = False,
) -> None:
    """Put a right signal in the place of a wrong one that you sent; every holder is told."""

    async def run() -> None:
        signal_id, values = parse_uuid7(signal, "signal"), _read_fields(fields)
        async with Kit.open(KitSettings.load(config)) as kit:
            response = await kit.follow_ups.correct(signal_id, values, {"reason": reason})
            alarm = await check_receipts(kit)
        _told(Act.CORRECT, signal_id, response, as_data, alarm=alarm)

    asyncio.run(run())


def rectify(signal: Signal, reason: Reason, config: Config = TOML, as_data: Json = False) -> None:
    """Tell every holder that what you sent does not hold any more, such as a fine that was withdrawn."""
    _say(config, Act.RECTIFY, signal, {"reason": reason}, as_data)


def recall(signal: Signal, reason: Reason, config: Config = TOML, as_data: Json = False) -> None:
    """Call a signal back: every holder destroys its copy, and says so."""
    _say(config, Act.RECALL, signal, {"reason": reason}, as_data)


def inbox(
    out: Annotated[
        list[Path], typer.Option("--out", help="The files in which you keep signals (more than once).")
    ],
    config: Config = TOML,
    follow: Annotated[bool, typer.Option("--follow", help="Wait for more until Ctrl-C.")] = False,
    gone: Annotated[
        bool, typer.Option("--gone", help="What is in none of these files is there no more: answer so.")
    ] = False,
    history: Annotated[bool, typer.Option("--history", help="Show what came in before too.")] = False,
    as_data: Json = False,
) -> None:
    """Take in what others say of signals, and mark or destroy your copies where they ask for it."""

    async def run() -> None:
        async with Kit.open(KitSettings.load(config)) as kit:
            report = await kit.follow_ups.read(JsonLines(tuple(out)), follow=follow, gone=gone)
            heard = kit.follow_ups.book.history() if history else report.heard
            alarm = await check_receipts(kit)
        for item in heard[:MOST_SHOWN]:
            say(_sentence(item))
        if len(heard) > MOST_SHOWN:
            say(f"and {len(heard) - MOST_SHOWN} more: see --json")
        for refused in report.refused[:MOST_SHOWN]:
            say(f"log index {refused.log_index}: {refused.message} [{refused.code}]")
        say(f"{len(report.heard)} new, {report.fulfilled} of them carried out, {len(report.refused)} refused")
        data = {
            "heard": [_heard(item) for item in heard],
            "fulfilled": report.fulfilled,
            "refused": [
                {"log_index": item.log_index, "code": item.code, "message": item.message}
                for item in report.refused
            ],
        }
        finish(data, as_data, EXIT_FAILED if report.refused else 0, alarm=alarm)

    asyncio.run(run())


def overdue(
    config: Config = TOML,
    everything: Annotated[bool, typer.Option("--all", help="Also what is not due yet.")] = False,
    as_data: Json = False,
) -> None:
    """List what you owe others about signals, and what they owe you, past its date."""

    async def run() -> None:
        async with Kit.open(KitSettings.load(config)) as kit:
            duties = await kit.follow_ups.duties(overdue_only=not everything)
            mine = kit.oin
        for duty in duties[:MOST_SHOWN]:
            who = "you owe" if duty.debtor_oin == mine else f"{duty.debtor_oin} owes you"
            late = " (overdue)" if duty.overdue else ""
            say(f"{who} {duty.act} on {UUID(bytes=duty.signal_id)} by {_time(duty.due_at_ms)}{late}")
        if len(duties) > MOST_SHOWN:
            say(f"and {len(duties) - MOST_SHOWN} more: see --json")
        say(f"{len(duties)} open" if everything else f"{len(duties)} overdue")
        finish({"duties": [_duty(duty) for duty in duties]}, as_data, 0)

    asyncio.run(run())


def _say(config: Path, act: Act, signal: str, codes: Mapping[str, str], as_data: bool) -> None:
    async def run() -> None:
        signal_id = parse_uuid7(signal, "signal")
        async with Kit.open(KitSettings.load(config)) as kit:
            response = await kit.follow_ups.say(act, signal_id, codes)
            alarm = await check_receipts(kit)
        _told(act, signal_id, response, as_data, alarm=alarm)

    asyncio.run(run())


def _told(
    act: Act,
    signal_id: UUID,
    response: followup_pb2.SendFollowUpResponse,
    as_data: bool,
    *,
    alarm: bool,
) -> None:
    entry = json.loads(response.entry)
    denied = response.HasField("decision") and response.decision.effect != envelope_pb2.EFFECT_PERMIT
    reasons = [reason.code for reason in response.decision.reasons]
    data = {
        "act": act.value,
        "signal_id": str(signal_id),
        "follow_up_id": entry["follow_up"],
        "log_index": response.receipt.log_index,
        "holders": response.holders,
        "permitted": not denied,
        "reasons": reasons,
        "replacement": entry.get("replacement"),
        "said_before": response.repeated_request,
    }
    if denied:
        say(f"denied: {reasons[0] if reasons else 'NO_RULE'}")
    else:
        reach = f"; {response.holders} copies at other parties" if "holders" in entry else ""
        say(f"{act}: logged at {response.receipt.log_index}{reach}")
    finish(data, as_data, EXIT_DENIED if denied else 0, alarm=alarm)


def _read_fields(path: Path) -> dict[str, str]:
    try:
        fields = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise NotFound("file-not-found", where=str(path)) from error
    except ValueError:
        fields = None
    if not isinstance(fields, dict) or not all(isinstance(value, str) for value in fields.values()):
        raise InvalidInput("malformed-encoding", "fields by name, each a text, are due", where=str(path))
    return fields


def _heard(item: Heard) -> dict[str, object]:
    statement = item.statement
    return {
        "follow_up_id": str(statement.follow_up_id),
        "act": statement.act.value,
        "signal_id": str(UUID(bytes=item.signal_id)),
        "about": str(statement.signal_id),
        "author": statement.author or "broker",
        "codes": dict(statement.codes),
        "refers_to": str(statement.refers_to) if statement.refers_to else None,
        "replacement": str(statement.replacement) if statement.replacement else None,
        "at": _time(statement.created_at_ms),
        "done": item.done,
    }


def _sentence(item: Heard) -> str:
    statement = item.statement
    codes = ", ".join(f"{name} {word}" for name, word in statement.codes.items())
    done = f" -> {item.done}" if item.done else ""
    who = statement.author or "the broker"
    return f"{statement.act} {statement.follow_up_id} by {who} on {UUID(bytes=item.signal_id)}: {codes}{done}"


def _duty(duty: followup_pb2.Duty) -> dict[str, object]:
    return {
        "act": duty.act,
        "debtor": duty.debtor_oin,
        "creditor": duty.creditor_oin or "broker",
        "signal_id": str(UUID(bytes=duty.signal_id)),
        "follow_up_id": str(UUID(bytes=duty.follow_up_id)) if duty.follow_up_id else None,
        "due_at": _time(duty.due_at_ms),
        "overdue": duty.overdue,
        "log_index": duty.log_index,
    }


def _time(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(timespec="seconds")
