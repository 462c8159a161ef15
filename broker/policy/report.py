# SPDX-License-Identifier: EUPL-1.2
"""A comparison or an analysis of rules as plain data, for the command line, pages and the log."""

from collections.abc import Iterable

from broker.policy.analyse import Observation
from broker.policy.diff import PolicyDiff, difference_text, flow_heading
from broker.policy.domain import Sort
from broker.policy.outcomes import FlowChange
from broker.policy.words import Text, Words


def diff_data(found: PolicyDiff, words: Words) -> dict[str, object]:
    """A comparison of two bundles."""
    return {
        "before": found.before,
        "after": found.after,
        "verdict": found.verdict.value,
        "summary": _text(found.summary),
        "exact": found.exact,
        "inexact": [_sort(sort) for sort in found.inexact],
        "required_approvals": [
            {"function": item.function or None, "other_than": "proposer"} for item in found.required_approvals
        ],
        "lines": [
            {
                "agreement": line.agreement or None,
                "rule": line.rule or None,
                "flow": _text(line.flow),
                "kind": line.kind,
                "mark": line.mark.value,
                **_text(line.text),
            }
            for line in found.lines
        ],
        "flows": [_flow(change, words) for change in found.flows],
    }


def analysis_data(found: Iterable[Observation]) -> list[dict[str, object]]:
    """What was observed."""
    return [
        {
            "kind": item.kind,
            "file": item.file,
            "rule": item.rule or None,
            "term": item.term or None,
            **_text(item.text),
        }
        for item in found
    ]


def _flow(change: FlowChange, words: Words) -> dict[str, object]:
    difference = change.difference
    return {
        **_sort(change.sort),
        "first_day": change.span.first.isoformat(),
        "last_day": change.span.last.isoformat() if change.span.last else None,
        "heading": _text(flow_heading(change, words)),
        "verdict": difference.verdict.value,
        "gained": sorted(difference.gained),
        "lost": sorted(difference.lost),
        "in_more_cases": sorted(difference.more),
        "in_fewer_cases": sorted(difference.fewer),
        "duties": [
            {"duty": duty.name, "before": duty.before or None, "after": duty.after or None}
            for duty in sorted(difference.duties)
        ],
        **_text(difference_text(difference, words)),
    }


def _sort(sort: Sort) -> dict[str, object]:
    return {
        "agreement": sort.agreement,
        "operation": sort.operation,
        "sender_role": sort.sender,
        "recipient_role": sort.recipient,
        "kind": sort.kind,
        "purpose": sort.purpose,
    }


def _text(text: Text) -> dict[str, str]:
    return {"dutch": text.dutch, "english": text.english}
