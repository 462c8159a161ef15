# SPDX-License-Identifier: EUPL-1.2
"""Entries of exchanges as the broker writes them, invented: over some weeks, of every operation."""

import random
from datetime import UTC, date, datetime, timedelta
from typing import Any

from broker.storage.projected import ACKNOWLEDGE, Days, Sight

NLA, SNCU, BANK, STRANGER = (f"0000000100000000000{digit}" for digit in "1234")
START = datetime(2026, 9, 29, 8, 0, tzinfo=UTC)
ALL = Sight.everything()
YEAR = Days(date(2026, 1, 1), date(2026, 12, 31))
POLICY = "sha256:none"


def entry(at: datetime, **changes: Any) -> dict[str, Any]:
    """An entry of an exchange as the broker writes it."""
    made = {
        "v": 1,
        "nonce": "00" * 16,
        "time": f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03}Z",
        "operation": "signal.push",
        "sender": NLA,
        "recipient": SNCU,
        "agreement": "avv-10",
        "kind": "FINE_IMPOSED",
        "purpose": "CAO_NALEVING",
        "decision": "permit",
        "rules": [{"id": "avv-10.a", "status": "in_force", "basis": ["Wet AVV 10(1)", "Wml 18p(1)"]}],
        "reasons": [],
        "released": ["law", "count"],
        "withheld": [],
        "policy": POLICY,
        "outcome": "mailbox",
        "delivery": "mailbox",
    }
    return {**made, **changes}


def made_log(size: int, seed: int = 1) -> list[dict[str, Any]]:
    """Exchanges over some weeks: permits, denials, releases, questions, confirmations, and other entries."""
    choice = random.Random(seed)
    entries: list[dict[str, Any]] = []
    waiting: list[int] = []
    at = START
    for index in range(size):
        at += timedelta(minutes=choice.randrange(0, 240), milliseconds=choice.randrange(1000))
        sort = choice.random()
        if sort < 0.1:
            row = {"v": 1, "time": entry(at)["time"], "operation": "party.admit", "party": NLA}
        elif sort < 0.3 and waiting:
            previous = waiting.pop(choice.randrange(len(waiting)))
            row = entry(at, operation=ACKNOWLEDGE, previous=previous, outcome="delivered")
            row = {key: row[key] for key in ("v", "time", "operation", "recipient", "previous", "outcome")}
            row |= {name: entries[previous][name] for name in ("exchange", "recipient")}
        else:
            row = some_exchange(choice, at, index)
            if row["outcome"] in ("mailbox", "released"):
                waiting.append(index)
        entries.append(row)
    return entries


def some_exchange(choice: random.Random, at: datetime, index: int) -> dict[str, Any]:
    """One exchange: permitted, partly, denied, or a question."""
    sender, recipient = choice.sample([NLA, SNCU, BANK], 2)
    row = entry(at, sender=sender, recipient=recipient, agreement=choice.choice(["avv-10", "waadi-14b"]))
    if choice.random() < 0.3:
        denial: dict[str, Any] = {"rules": [], "released": [], "reasons": [{"code": "NO_RULE", "params": {}}]}
        row |= denial | {"decision": "deny", "outcome": "refused", "exchange": f"signal-{index}"}
    elif choice.random() < 0.2:
        row |= {"operation": "match.question", "sender": recipient, "outcome": "answered"}
        del row["delivery"]
        return row
    if choice.random() < 0.4:
        row["withheld"] = [{"name": "article", "reason": "NOT_NEEDED", "rule": ""}]
    return row | {"exchange": f"signal-{index}"}
