# SPDX-License-Identifier: EUPL-1.2
"""The pages, in the order of the menu."""

from broker.console.views import exchange, exchanges, participants, reads, record, timeline, today

PAGES = (
    *today.PAGES,
    *exchanges.PAGES,
    *exchange.PAGES,
    *timeline.PAGES,
    *record.PAGES,
    *participants.PAGES,
    *reads.PAGES,
)
