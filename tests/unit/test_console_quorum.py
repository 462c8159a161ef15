# SPDX-License-Identifier: EUPL-1.2
"""A quorum of witnesses in the officer's browser: what verify.js says of a policy is what the Python reader says."""

from dataclasses import replace
from itertools import combinations

import pytest

from broker.console.texts import has_text
from sluis.checkpoint_signers import cosign, witness_signers
from sluis.errors import InvalidInput, NotAuthentic
from sluis.note import Note
from sluis.tlog_policy import TlogPolicy
from tests.unit.log_samples import LOG_KEYS, TIME
from tests.unit.test_console_verify import LOG, case, failed, run

WITNESSES = [witness_signers(f"w{number}.example", bytes([number]) * 64) for number in range(1, 5)]
A, B, C, D = (str(signers[0].vkey) for signers in WITNESSES)
OTHER = str(WITNESSES[0][1].vkey)  # the first witness's second key, which a browser cannot check
LINE = f"log {LOG_KEYS[0].vkey}\n"
FOUR = f"{LINE}witness a {A}\nwitness b {B} https://b.example/\nwitness\tc  {C}\n# a note\n\nwitness d {D}\n"
POLICIES = (
    f"{FOUR}quorum a\n",
    f"{FOUR}quorum none\n",
    f"{FOUR}group all all a b c d\nquorum all\n",
    f"{FOUR}group two 2 a b c\nquorum two\n",
    f"{FOUR}group x any a b\ngroup y 2 x c d\nquorum y\n",
    f"{FOUR}group x all a b\ngroup y any c d\ngroup z 2 x y\nquorum z\n",
    f"{LINE}quorum none\n",
)
WRONG = (
    f"{FOUR}",
    f"{FOUR}quorum e\n",
    f"{FOUR}quorum a\nquorum b\n",
    f"{FOUR}quorum a b\n",
    f"quorum a\n{FOUR}",
    f"{FOUR}group g 0 a\nquorum g\n",
    f"{FOUR}group g 01 a\nquorum g\n",
    f"{FOUR}group g 3 a b\nquorum g\n",
    f"{FOUR}group g most a b\nquorum g\n",
    f"{FOUR}group g any a a\nquorum g\n",
    f"{FOUR}group g any a\ngroup h any a b\nquorum h\n",
    f"{FOUR}group g any g\nquorum g\n",
    f"{FOUR}group none any a\nquorum none\n",
    f"{FOUR}group g any\nquorum a\n",
    f"{FOUR}witness a {OTHER}\nquorum a\n",
    f"{FOUR}witness e {A}\nquorum a\n",
    f"{FOUR}witness e {LOG_KEYS[0].vkey}\nquorum a\n",
    f"{FOUR}log {A}\nquorum a\n",
    f"{FOUR}{LINE}quorum a\n",
    f"{FOUR}witness e {A[:-4]}\nquorum a\n",
    f"{FOUR}QUORUM a\n",
)


def cosigned(members: tuple[int, ...]) -> str:
    """The checkpoint under the log's signature, cosigned by some witnesses with the key that a browser knows."""
    lines = [line for place in members for line in cosign(LOG.checkpoint(), WITNESSES[place][:1], TIME)]
    return Note.parse(LOG.signed()).with_signatures(lines).format() if lines else LOG.signed()


def holds(policy: str, note: str) -> bool:
    """What the Python reader says."""
    try:
        TlogPolicy.parse(policy.encode()).verify_checkpoint(note)
    except NotAuthentic as error:
        return error.code != "not-witnessed"
    return True


def test_every_set_of_witnesses_meets_a_quorum_in_the_browser_as_elsewhere() -> None:
    sets = [members for number in range(5) for members in combinations(range(4), number)]
    table = [(policy, cosigned(members)) for policy in POLICIES for members in sets]
    results = run([case(keys=policy, checkpoint=note) for policy, note in table])
    expected = [holds(policy, note) for policy, note in table]
    assert 30 < sum(expected) < len(expected) - 30
    for wanted, result in zip(expected, results, strict=True):
        assert failed(result) == ([] if wanted else [("witnesses", "witness-quorum")])


def test_a_step_says_which_quorum_was_met_or_that_none_is_due() -> None:
    met, none, missed = run(
        [
            case(keys=POLICIES[3], checkpoint=cosigned((0, 1))),
            case(keys=POLICIES[6], checkpoint=cosigned((0, 1))),
            case(keys=POLICIES[3], checkpoint=cosigned((0, 3))),
        ]
    )
    step = met["steps"][-1]
    assert (step["code"], step["values"]["quorum"], step["values"]["count"]) == ("witnesses-quorum", "two", 2)
    assert none["steps"][-1]["code"] == "witnesses-not-due"
    assert missed["steps"][-1]["values"] == {"quorum": "two", "count": 2}
    for code in ("witnesses-quorum", "witnesses-not-due", "verdict-quorum", "policy-form"):
        assert has_text(f"proof.{code}")


def test_a_false_line_condemns_whatever_the_quorum() -> None:
    note = Note.parse(cosigned((0, 1)))
    *rest, last = note.signatures
    twisted = last.signature[:-1] + bytes([last.signature[-1] ^ 1])
    false = Note(text=note.text, signatures=(*rest, replace(last, signature=twisted))).format()
    [result] = run([case(keys=f"{FOUR}quorum none\n", checkpoint=false)])
    assert failed(result) == [("witnesses", "witness-signature")]


def test_a_key_that_a_browser_cannot_check_is_known_and_does_not_count() -> None:
    policy = f"{LINE}witness a {OTHER}\nwitness b {B}\ngroup g 1 a b\nquorum g\n"
    both, alone = run(
        [
            case(keys=policy, checkpoint=cosigned((0, 1))),
            case(keys=policy.replace("g 1 a b", "g all a b"), checkpoint=cosigned((0, 1))),
        ]
    )
    assert (failed(both), failed(alone)) == ([], [("witnesses", "witness-quorum")])


@pytest.mark.parametrize("policy", [pytest.param(text, id=str(place)) for place, text in enumerate(WRONG)])
def test_the_python_reader_refuses_it_too(policy: str) -> None:
    with pytest.raises(InvalidInput):
        TlogPolicy.parse(policy.encode())


def test_what_is_no_policy_is_refused() -> None:
    results = run([case(keys=policy) for policy in WRONG])
    assert [result["refused"] for result in results] == ["policy-form"] * len(WRONG)
