# SPDX-License-Identifier: EUPL-1.2
"""What decisions are measured on: valid, overlapping rules that ask everything, and exchanges made from rules."""

from collections import Counter

import pytest

from bench.decide import outcome
from bench.exchanges import exchanges
from bench.generated_rules import CONDITIONS, generated_files
from broker.decide.engine import decide
from sluis.policy.bundle import Bundle, read_bundle
from tests.unit.decide_samples import BUNDLE

GENERATED = read_bundle(generated_files(300))


def test_a_seed_gives_the_same_rules_and_another_seed_others() -> None:
    assert generated_files(60) == generated_files(60)
    assert generated_files(60) != generated_files(60, seed=2)
    assert len(GENERATED.rules) == 300


def test_generated_rules_overlap_and_ask_every_sort_of_condition() -> None:
    asked = {type(item) for rule in GENERATED.rules.values() for item in rule.conditions}
    assert len(asked) == len(CONDITIONS) == 11
    assert max(map(len, GENERATED.permits.values())) > 1
    assert max(map(len, GENERATED.prohibitions.values())) > 1


@pytest.mark.parametrize("bundle", [BUNDLE, GENERATED])
def test_exchanges_come_out_in_every_way(bundle: Bundle) -> None:
    outcomes = Counter(outcome(decide(request, bundle)) for request in exchanges(bundle, 400))
    wanted = {
        "permit", "partial", "NO_RULE", "RULE_NOT_IN_FORCE", "FIELD_NOT_LISTED", "UNKNOWN_FIELD", "CLAIM_MALFORMED",
    }  # fmt: skip
    assert wanted <= outcomes.keys()
    assert "ENGINE_ERROR" not in outcomes
    assert outcomes["permit"] + outcomes["partial"] > 160
