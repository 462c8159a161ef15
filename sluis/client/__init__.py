# SPDX-License-Identifier: EUPL-1.2
"""The participant's kit: everything that happens on a participant's own premises."""

from sluis.client.kit import Kit
from sluis.client.settings import KitSettings

__all__ = ["Kit", "KitSettings"]
