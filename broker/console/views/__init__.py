# SPDX-License-Identifier: EUPL-1.2
"""The pages, in the order of the menu."""

from broker.console.views import proposals, reads, rules, today, trial, versions

PAGES = (
    *today.PAGES,
    *rules.PAGES,
    *versions.PAGES,
    *proposals.PAGES,
    *trial.PAGES,
    *reads.PAGES,
)
