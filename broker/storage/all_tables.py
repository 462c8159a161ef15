# SPDX-License-Identifier: EUPL-1.2
"""Every table of the broker: who needs them all, for queries or migrations, takes the metadata from here."""

from broker.storage import (
    alias_tables,
    asked_tables,
    console_tables,
    epoch_tables,
    exchange_tables,
    finding_tables,
    follow_up_tables,
    proposal_tables,
    retention_tables,
    tables,
)
from broker.storage.tables import METADATA

__all__ = ["METADATA", "MODULES"]

MODULES = (
    tables,
    alias_tables,
    asked_tables,
    console_tables,
    epoch_tables,
    exchange_tables,
    finding_tables,
    follow_up_tables,
    proposal_tables,
    retention_tables,
)
