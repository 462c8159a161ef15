# SPDX-License-Identifier: EUPL-1.2
"""Parts that a participant need not install: asked for when a command needs them."""

from collections.abc import Iterator
from contextlib import contextmanager

from sluis.errors import InvalidInput


@contextmanager
def needs_extra(extra: str) -> Iterator[None]:
    """Turn a missing import into a sentence that says what to install."""
    try:
        yield
    except ModuleNotFoundError as error:
        message = f"this command needs more than the kit: install `sluis[{extra}]` (missing: {error.name})"
        raise InvalidInput("malformed-config", message) from None
