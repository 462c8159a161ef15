# SPDX-License-Identifier: EUPL-1.2
"""Questions with their answers, feedback, the attention of a person: what is owed, when it is late, what closes it."""

import pytest

from sluis.client.sender import new_uuid7
from sluis.v1 import envelope_pb2
from tests.unit.test_follow_ups import heard, owed, pushed, refused
from tests.world import FIRM, World

# questions


async def test_a_question_reaches_the_sender_and_its_answer_the_asker(world: World) -> None:
    first = await pushed(world)
    about, nla, sna = first.header.signal_id, world.cast.nla, world.cast.sna
    asked = await world.follow_up("ask", about, sna)
    assert asked.decision.rule_ids == ["ask-about-fine-by-foundation"]
    (question,) = heard(await world.told(nla))
    assert ("answer", nla.oin, False) in owed(await world.duties(sna))
    answer = await world.follow_up("answer", about, nla, refers_to=question.follow_up_id)
    assert answer.decision.effect == envelope_pb2.EFFECT_PERMIT
    (told,) = heard(await world.told(sna))
    assert (told.act, told.refers_to) == ("answer", question.follow_up_id)
    assert "answer" not in [act for act, *_ in owed(await world.duties(sna))]
    call = world.follow_up("answer", about, nla, refers_to=question.follow_up_id)
    assert await refused(call) == "already-done"


async def test_a_question_that_no_rule_permits_is_denied_logged_and_not_delivered(world: World) -> None:
    first = await pushed(world)
    world.operator.stop("agreement", "waadi-14b", "INCIDENT")
    asked = await world.follow_up("ask", first.header.signal_id, world.cast.sna)
    assert asked.decision.reasons[0].code == "RULE_STOPPED"
    entry = world.entries()[-1]
    assert (entry["operation"], entry["outcome"], entry["decision"]) == ("followup.ask", "refused", "deny")
    assert await world.told(world.cast.nla) == []
    assert "answer" not in [act for act, *_ in owed(await world.duties(world.cast.sna))]


async def test_an_answer_to_a_question_that_was_never_asked_is_refused(world: World) -> None:
    first = await pushed(world)
    about, nla = first.header.signal_id, world.cast.nla
    never = new_uuid7(world.clock.ms())
    assert await refused(world.follow_up("answer", about, nla, refers_to=never)) == "not-asked"
    await world.follow_up("feedback", about, world.cast.sna)
    (feedback,) = heard(await world.told(nla))
    call = world.follow_up("answer", about, nla, refers_to=feedback.follow_up_id)
    assert await refused(call) == "not-asked"


# feedback, attention, lateness


async def test_feedback_reaches_the_sender(world: World) -> None:
    first = await pushed(world)
    codes = {"outcome": "CONFIRMED", "usability": "4", "measure": "CERTIFICATE_SUSPENDED"}
    await world.follow_up("feedback", first.header.signal_id, world.cast.sna, codes=codes)
    (told,) = heard(await world.told(world.cast.nla))
    assert dict(told.codes) == codes


async def test_a_recipient_that_never_answers_shows_as_overdue_and_a_late_answer_still_counts(
    world: World,
) -> None:
    first = await pushed(world)
    nla, sna = world.cast.nla, world.cast.sna
    await world.follow_up("recall", first.header.signal_id, nla)
    assert owed(await world.duties(nla, overdue=True)) == []
    world.clock.move(days=8)
    for party in (nla, sna):
        assert ("fulfil", sna.oin, True) in owed(await world.duties(party, overdue=True))
    (asked,) = heard(await world.told(sna))
    await world.follow_up("fulfil", first.header.signal_id, sna, refers_to=asked.follow_up_id)
    assert owed(await world.duties(nla, overdue=True)) == []


async def test_follow_ups_are_delivered_until_acknowledged_and_that_is_logged_once(world: World) -> None:
    first = await pushed(world)
    sna, mailbox = world.cast.sna, world.broker.follow_up_mailbox
    await world.follow_up("recall", first.header.signal_id, world.cast.nla)
    (delivery,) = await world.told(sna)
    assert (await world.told(sna))[0] == delivery
    other = await mailbox.acknowledge(world.cast.body.caller, [delivery.log_index])
    assert list(other.unknown) == [delivery.log_index]
    world.clock.move(days=900)
    assert (await mailbox.acknowledge(sna.caller, [delivery.log_index])).acknowledged == 1
    assert (await mailbox.acknowledge(sna.caller, [delivery.log_index])).already == 1
    assert world.operations().count("followup.acknowledge") == 1
    assert await world.told(sna) == []


async def test_feedback_is_owed_within_the_term_of_the_rule_and_only_a_final_outcome_closes_it(
    world: World,
) -> None:
    first = await pushed(world)
    about, sna = first.header.signal_id, world.cast.sna
    (duty,) = await world.duties(sna)
    assert (duty.act, duty.creditor_oin) == ("feedback", world.cast.nla.oin)
    assert duty.due_at_ms == 1_813_701_600_000  # the end of 22 June 2027 in Amsterdam
    await world.follow_up("feedback", about, sna, codes={"outcome": "UNDER_INVESTIGATION"})
    world.clock.move(days=366)
    assert owed(await world.duties(world.cast.nla, overdue=True)) == [("feedback", sna.oin, True)]
    await world.follow_up("feedback", about, sna, codes={"outcome": "NOT_CONFIRMED", "reason": "REPAIRED"})
    assert await world.duties(sna) == []


async def test_what_was_taken_back_needs_no_feedback(world: World) -> None:
    first = await pushed(world)
    await world.follow_up("rectify", first.header.signal_id, world.cast.nla)
    assert [act for act, *_ in owed(await world.duties(world.cast.sna))] == ["fulfil"]


async def test_severity_4_demands_that_a_person_looks_within_hours(world: World) -> None:
    claims = {"provision": "WML 7", "decided_on": "2026-03-02", "severity": "4"}
    first = await pushed(world, claims=claims)
    about, nla, sna = first.header.signal_id, world.cast.nla, world.cast.sna
    world.clock.move(hours=5)
    for party in (nla, sna):
        assert ("attend", sna.oin, True) in owed(await world.duties(party, overdue=True))
    await world.follow_up("attend", about, sna)
    assert await world.duties(sna, overdue=True) == []
    (told,) = heard(await world.told(nla))
    assert (told.act, told.codes["function"]) == ("attend", "inspector")
    assert await refused(world.follow_up("attend", about, sna)) == "not-demanded"


@pytest.mark.parametrize("severity", ["1", "2", "3"])
async def test_a_lesser_severity_demands_no_person(world: World, severity: str) -> None:
    claims = {"provision": "WML 7", "decided_on": "2026-03-02", "severity": severity}
    first = await pushed(world, claims=claims)
    call = world.follow_up("attend", first.header.signal_id, world.cast.sna)
    assert await refused(call) == "not-demanded"


async def test_data_of_an_investigation_are_refused_at_the_door(world: World) -> None:
    await world.certify(FIRM)
    claims = {"provision": "WML 7", "decided_on": "2026-03-02"}
    answer = await world.push(world.envelope(FIRM, claims={**claims, "handling": "H5"}))
    assert (answer.decision.effect, answer.decision.reasons[0].code) == (
        envelope_pb2.EFFECT_DENY,
        "INVESTIGATION_DATA",
    )
    assert world.waiting(world.cast.sna) == []
    answer = await world.push(world.envelope(FIRM, claims={**claims, "handling": "H4"}))
    assert answer.decision.effect == envelope_pb2.EFFECT_PERMIT
