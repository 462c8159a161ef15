# SPDX-License-Identifier: EUPL-1.2
"""The pages, in the order of the menu."""

from broker.console.views import (
    destroyed,
    exchange,
    exchanges,
    participants,
    proposals,
    reads,
    record,
    reports,
    review,
    rules,
    statistics,
    subject,
    timeline,
    today,
    trial,
    versions,
    watches,
)

PAGES = (
    *today.PAGES,
    *exchanges.PAGES,
    *exchange.PAGES,
    *watches.PAGES,
    *review.PAGES,
    *timeline.PAGES,
    *rules.PAGES,
    *versions.PAGES,
    *proposals.PAGES,
    *trial.PAGES,
    *record.PAGES,
    *participants.PAGES,
    *subject.PAGES,
    *reports.PAGES,
    *destroyed.PAGES,
    *statistics.PAGES,
    *reads.PAGES,
)
