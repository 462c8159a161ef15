# SPDX-License-Identifier: EUPL-1.2
"""Rules by the thousand, to load and decide under: valid, overlapping, with every sort of condition.

    files = generated_files(2_000, seed=1)       the same seed, the same bytes
    bundle = read_bundle(files)

One rule in five prohibits; one prohibition in twenty stands above all agreements. The words mean nothing. Files are
written as JSON, which is YAML too.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from random import Random
from typing import Any, TypeAlias

from sluis.policy.catalog import ENGINE_CODES

Json: TypeAlias = dict[str, Any]

RULES_IN_A_FILE = 100
PUBLIC = [f"office-{number}" for number in range(4)]
PRIVATE = [f"firm-{number}" for number in range(3)]
KINDS = [f"KIND_{number}" for number in range(6)]
PURPOSES = [f"PURPOSE_{number}" for number in range(4)]
PLAIN = [f"plain_{number:02}" for number in range(30)]
PERSONAL = [f"personal_{number}" for number in range(6)]
NEVER = {"number": "bsn", "health": "special", "offence": "criminal"}
PARTNERSHIPS = ["first", "second", "third"]
PROVISIONS = [f"LAW {number}" for number in range(1, 21)]
CODES = [f"UNMET_{number}" for number in range(10)]
SINCE = date(2024, 1, 1)

# The eleven sorts of condition, as `sluis.policy.conditions` shows them.
CONDITIONS: Mapping[str, Callable[[Random], Json]] = {
    "claim_listed": lambda rng: {"claim": "provision", "one_of": rng.sample(PROVISIONS, 8)},
    "not_older": lambda rng: {"claim": "decided_on", "not_older_than_years": str(rng.randint(1, 5))},
    "not_passed": lambda rng: {"claim": "keep_until", "not_passed": "true"},
    "working_days": lambda rng: {"claim": "notified_on", "working_days_passed": str(rng.randint(5, 20))},
    "fact_proven": lambda rng: {"fact": rng.choice(["listed_0", "listed_1", "vouched", "weighed"])},
    "fact_missing": lambda rng: {"without_fact": rng.choice(["listed_0", "vouched"])},
    "same_party": lambda rng: {"same_party": "true"},
    "delivery": lambda rng: {"delivery": "mailbox"},
    "partnership": lambda rng: {"partnership": rng.sample(PARTNERSHIPS, 2)},
    "counted": lambda rng: {"counter": "persons_today", "at_most": str(rng.randint(10, 90))},
    "subjects": lambda rng: {"subjects_at_most": str(rng.randint(1, 20))},
}


def generated_files(count: int, seed: int = 1) -> dict[str, bytes]:
    """Make the files of a bundle of `count` rules."""
    rng = Random(seed)
    files = {f"catalog/{sort}.yaml": {sort: words} for sort, words in _catalog().items()}
    prohibitions = count // 5
    general = max(1, prohibitions // 20)
    files["agreements/general.yaml"] = _agreement(
        "general", [_prohibition(rng, f"general-{number}") for number in range(general)], "every-agreement"
    )
    rules = [_prohibition(rng, f"against-{number}") for number in range(prohibitions - general)]
    rules += [_permit(rng, f"permit-{number}") for number in range(count - prohibitions)]
    rng.shuffle(rules)
    for start in range(0, len(rules), RULES_IN_A_FILE):
        name = f"agreement-{start // RULES_IN_A_FILE}"
        files[f"agreements/{name}.yaml"] = _agreement(name, rules[start : start + RULES_IN_A_FILE])
    return {name: f"{json.dumps(content, indent=1)}\n...\n".encode() for name, content in files.items()}


def _label(name: str, **more: Any) -> Json:
    return {"dutch": name, "english": name, **more}


def _catalog() -> Mapping[str, Json]:
    text = {"type": "text", "max_length": "200"}
    categories = dict.fromkeys(PLAIN, "organisation") | dict.fromkeys(PERSONAL, "personal") | NEVER
    register = {"source": "register", "owner_role": "office-0", "domain": "recipient"}
    stated = {"functions": ["officer"], "reasons": {"WEIGHED": _label("weighed")}, "valid_days": "30"}
    numbers = [provision.split(" ")[1] for provision in PROVISIONS]
    version = {"valid_from": "2020-01-01", "mark": "verified", "source": "generated"}
    return {
        "roles": {name: _label(name, sector="public") for name in PUBLIC}
        | {name: _label(name, sector="private") for name in PRIVATE},
        "functions": {"officer": _label("officer")},
        "partnerships": {
            name: _label(name, valid_from="2020-01-01", roles=PUBLIC + PRIVATE, source="generated")
            for name in PARTNERSHIPS
        },
        "fields": {name: _label(name, category=sort, value=text) for name, sort in categories.items()},
        "kinds": {name: _label(name, subject="kvk") for name in KINDS},
        "purposes": {name: _label(name) for name in PURPOSES},
        "facts": {
            "listed_0": _label("listed", register="list-0", **register),
            "listed_1": _label("listed", register="list-1", **register),
            "vouched": _label("vouched", source="sender", **stated),
            "weighed": _label("weighed", source="officer", persons="2", **stated),
            "persons_today": _label("persons", source="counter", per="sender", window="day"),
        },
        "claims": {
            "provision": _label("provision", type="provision", pattern="LAW [0-9]+", asserted_by="sender"),
            "partnership": _label("partnership", type="partnership", asserted_by="sender"),
            **{
                name: _label(name, type="date", asserted_by="sender")
                for name in ("decided_on", "keep_until", "notified_on")
            },
        },
        "laws": {
            "LAW": {
                "bwb": "BWBR0000001",
                "title": "A law",
                "articles": [{"article": number, **version} for number in numbers],
            }
        },
        "reasons": {code: _label(code.lower()) for code in (*sorted(ENGINE_CODES), *CODES)},
    }


def _agreement(name: str, rules: Sequence[Json], applies_to: str = "this-agreement") -> Json:
    return {"id": name, "title": name, "explanation": name, "applies_to": applies_to, "rules": list(rules)}


def _some(rng: Random, words: Sequence[str], most: int) -> list[str]:
    return sorted(rng.sample(words, rng.randint(1, most)))


def _rule(rng: Random, name: str, conditions: list[str]) -> Json:
    begin = SINCE + timedelta(days=rng.choice([0, 0, 0, 100, 300, 500]))
    rule: Json = {
        "id": name,
        "title": name,
        "status": rng.choice(["in-force", "in-force", "in-force", "assumed"]),
        "valid_from": begin.isoformat(),
        "conditions": [
            {**CONDITIONS[sort](rng), "dutch": sort, "otherwise": rng.choice(CODES)} for sort in conditions
        ],
        "legal_basis": [
            {
                "gdpr": "6(3)",
                "law": "LAW",
                "article": (number := str(rng.randint(1, 20))),
                "juriconnect": f"jci1.3:c:BWBR0000001&artikel={number}",
                "explanation": "generated",
            }
        ],
        "explanation": name,
    }
    if rng.random() < 0.2:
        rule["valid_until"] = (begin + timedelta(days=700)).isoformat()
    return rule


def _permit(rng: Random, name: str) -> Json:
    senders, recipients = _some(rng, PUBLIC, 2), _some(rng, PUBLIC + PRIVATE, 3)
    sorts = sorted(CONDITIONS.keys() - {"fact_missing", "same_party"})
    conditions = rng.sample(sorts, rng.randint(0, 4))
    if set(senders) & set(recipients) and rng.random() < 0.2:
        conditions.append("same_party")
    operations = rng.choice([["push"], ["push"], ["push", "release"], ["release"], ["question"]])
    rule = _rule(rng, name, conditions) | {
        "effect": "permit",
        "operations": operations,
        "sender_roles": senders,
        "recipient_roles": recipients,
        "kinds": _some(rng, KINDS, 4),
        "purposes": _some(rng, PURPOSES, 2),
        "obligations": _obligations(rng),
    }
    if operations != ["question"]:
        rule["fields"] = sorted(rng.sample(PLAIN, rng.randint(8, 16)))
        if rng.random() < 0.2:
            rule["fields"] += rng.sample(PERSONAL, 2)
            gate = {"fact": "weighed", "dutch": "weighed", "otherwise": "UNMET_0"}
            rule["conditions"] = [gate, *rule["conditions"]]
    return rule


def _prohibition(rng: Random, name: str) -> Json:
    sorts = sorted(CONDITIONS.keys() - {"counted"})
    rule = _rule(rng, name, rng.sample(sorts, rng.randint(0, 3))) | {
        "effect": "prohibit",
        "operations": rng.choice([["push"], ["push", "release"], ["question"]]),
        "code": rng.choice(CODES),
        "recipient_roles": _some(rng, PUBLIC + PRIVATE, 3),
    }
    if rng.random() < 0.3:
        rule["kinds"] = _some(rng, KINDS, 3)
    sort = rng.random()
    if sort < 0.2:
        rule["categories"] = _some(rng, sorted(NEVER.values()), 2)
    elif sort < 0.9:
        rule["fields"] = _some(rng, PLAIN + PERSONAL, 2)
    else:  # the whole exchange, of few: otherwise nothing would be left to permit
        rule |= {"sender_roles": _some(rng, PUBLIC, 1), "kinds": _some(rng, KINDS, 1)}
    return rule


def _obligations(rng: Random) -> Json:
    duties = {
        "retention": rng.choice(["P1Y", "P2Y", "P5Y", "P7Y"]),
        "handling": rng.choice(["H1", "H2", "H3"]),
        "notice": rng.choice(["may-inform", "must-inform"]),
    }
    if duties["notice"] == "must-inform":
        duties["notice_within"] = rng.choice(["P1M", "P3M"])
    return duties
