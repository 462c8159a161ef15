# SPDX-License-Identifier: EUPL-1.2
"""Findings: each organisation has its own, found by what they are about."""

from broker.storage.finding_port import FindingRow
from tests.contract.conftest import Database


def test_a_finding_is_found_by_what_it_is_about(database: Database) -> None:
    store = database.open()
    with store.transaction() as tx:
        for number, (organisation, subject) in enumerate((("1", "a"), ("1", "b"), ("2", "a"), ("", "c"))):
            index = tx.append(f"{number}".encode(), 1_000)
            row = FindingRow(
                finding_id=f"f{number}",
                organisation=organisation,
                subject=subject,
                state="open",
                log_index=index,
                content="{}",
            )
            tx.put_finding(row)
        tx.commit()
    found = store.findings.about
    assert found("1", ["a", "b", "c"]) == {"a": "f0", "b": "f1"}
    assert found("2", ["a"]) == {"a": "f2"}
    assert found("", ["a", "c"]) == {"c": "f3"}
    assert found("1", []) == {}
