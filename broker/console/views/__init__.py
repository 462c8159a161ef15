# SPDX-License-Identifier: EUPL-1.2
"""The pages, in the order of the menu."""

from broker.console.views import reads, reports, review, statistics, subject, today

PAGES = (
    *today.PAGES,
    *review.PAGES,
    *subject.PAGES,
    *reports.PAGES,
    *statistics.PAGES,
    *reads.PAGES,
)
