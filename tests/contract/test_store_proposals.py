# SPDX-License-Identifier: EUPL-1.2
"""Proposed rules: drafts take each other's place, what was signed stays, and nobody signs twice."""

from dataclasses import replace

import pytest

from broker.storage.port import Store
from broker.storage.proposal_port import PolicyProposal, SignedStatement
from sluis.errors import Conflict
from tests.contract.rows import OTHER, SENDER

DRAFT = PolicyProposal(
    proposal_id="a" * 32,
    organisation=SENDER,
    officer="fg-1",
    from_digest="sha256:1",
    to_digest="sha256:2",
    content=b"rules",
    cases=3,
    at_ms=1_000,
)


def _keep(store: Store, row: PolicyProposal) -> None:
    with store.transaction() as tx:
        tx.add_proposal(row)
        tx.commit()


def _sign(store: Store, proposal_id: str, officer: str, act: str) -> int:
    with store.transaction() as tx:
        index = tx.append(f"{officer} {act}".encode(), 2_000)
        tx.add_statement(
            SignedStatement(
                proposal_id=proposal_id, officer=officer, act=act, content=b"signed", log_index=index
            )
        )
        tx.commit()
    return index


def test_a_draft_takes_the_place_of_the_same_officers_draft(store: Store) -> None:
    other = replace(DRAFT, proposal_id="b" * 32, organisation=OTHER)
    newer = replace(DRAFT, proposal_id="c" * 32, at_ms=2_000)
    for row in (DRAFT, other, newer):
        _keep(store, row)
    assert store.proposals.proposal(DRAFT.proposal_id) is None
    assert list(store.proposals.newest(10)) == [newer, other]
    assert list(store.proposals.newest(1)) == [newer]
    _keep(store, replace(newer, at_ms=9_000))
    assert store.proposals.proposal(newer.proposal_id) == replace(newer, at_ms=9_000)


def test_what_was_signed_stays_as_it_was(store: Store) -> None:
    _keep(store, DRAFT)
    _sign(store, DRAFT.proposal_id, "fg-1", "propose")
    _keep(store, replace(DRAFT, content=b"other", at_ms=9_000))
    _keep(store, replace(DRAFT, proposal_id="c" * 32))
    assert store.proposals.proposal(DRAFT.proposal_id) == DRAFT


def test_nobody_signs_twice(store: Store) -> None:
    _keep(store, DRAFT)
    first = _sign(store, DRAFT.proposal_id, "fg-1", "propose")
    with pytest.raises(Conflict) as caught:
        _sign(store, DRAFT.proposal_id, "fg-1", "approve")
    assert caught.value.code == "already-signed"
    second = _sign(store, DRAFT.proposal_id, "fg-2", "approve")
    rows = store.proposals.statements(DRAFT.proposal_id)
    assert [(row.log_index, row.officer) for row in rows] == [(first, "fg-1"), (second, "fg-2")]
    with store.transaction() as tx:
        assert tx.statements(DRAFT.proposal_id) == {"fg-1": "propose", "fg-2": "approve"}
        assert tx.statements("b" * 32) == {}
