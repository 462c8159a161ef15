# SPDX-License-Identifier: EUPL-1.2
"""A decision read back from its entry in the log."""

import json

import pytest

from broker.decide.engine import decide
from broker.decide.explain import explain
from broker.decide.recorded import recorded_decision
from broker.policy.cases import request_of
from broker.record import decision_record, exchange_record
from sluis.canonical import canonical_json
from sluis.errors import InvalidInput
from tests.unit.decide_samples import BUNDLE, FINE, outcome
from tests.unit.test_policy_cases import CASES


def test_every_case_of_the_rules_is_read_back_as_it_was_decided() -> None:
    kinds = set()
    for case in CASES:
        request = request_of(case, BUNDLE)
        decision = decide(request, BUNDLE)
        entry = json.loads(canonical_json(exchange_record("signal.push", request, decision, BUNDLE)))
        read = recorded_decision(entry)
        assert read == decision, case.name
        # These two are left out of equality.
        assert dict(read.obligations) == dict(decision.obligations)
        assert [item.params for item in read.reasons] == [dict(item.params) for item in decision.reasons]
        assert explain(read, BUNDLE) == explain(decision, BUNDLE)
        kinds.add((read.effect, bool(read.withheld), read.assumed))
    assert len(kinds) >= 4


def test_a_stop_is_read_back_too() -> None:
    decision = outcome().denied("PARTY_STOPPED", {"party": "sender"})
    assert recorded_decision(decision_record(decision)) == decision


@pytest.mark.parametrize("member", sorted(decision_record(outcome())))
def test_an_entry_that_lacks_a_member_holds_no_decision(member: str) -> None:
    entry = exchange_record("signal.push", FINE, outcome(), BUNDLE)
    del entry[member]
    with pytest.raises(InvalidInput):
        recorded_decision(entry)
