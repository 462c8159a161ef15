# SPDX-License-Identifier: EUPL-1.2
"""Persons without a number at the broker: a subject with several pseudonyms, found by any of them.

Only a kind whose subject is `persoon` has such subjects. A signal about one lies deposited under its pseudonym and its
aliases (`sluis/header.py`) until its recipient asks; who asks gives the pseudonyms of every key that it derived. The
broker keeps aliases for nothing else, in a table that no other kind's exchange reads or writes.
Never in bulk: no digest, watch list or register. What a question may be about is for its rule (`policies/`).
"""

from broker.step import Step
from broker.storage.deposit_port import Alias
from broker.storage.port import StoredSignal
from sluis.errors import InvalidInput, NotPermitted
from sluis.header import Delivery, Header
from sluis.policy.bundle import Bundle


def is_person(kind: str, bundle: Bundle) -> bool:
    """Whether the subjects of a kind have several pseudonyms."""
    known = bundle.catalog.kinds.get(kind)
    return known is not None and known.subject == "persoon"


def check_aliases(header: Header, bundle: Bundle) -> None:
    """Refuse aliases by which nobody will be looked up. Raises InvalidInput `aliases-not-due`."""
    if header.aliases and not (header.delivery is Delivery.ON_MATCH and is_person(header.kind, bundle)):
        raise InvalidInput("aliases-not-due", where="aliases")


def check_not_in_bulk(kind: str, bundle: Bundle) -> None:
    """Refuse what would be about all persons at once. Raises NotPermitted `persons-not-in-bulk`."""
    if is_person(kind, bundle):
        raise NotPermitted("persons-not-in-bulk", where="kind")


def keep_aliases(step: Step, signal: StoredSignal, header: Header) -> None:
    """Let a signal that is kept be found by its aliases too."""
    if header.aliases:
        step.keep_aliases(
            [
                Alias(
                    recipient=signal.recipient,
                    agreement=signal.agreement,
                    kind=signal.kind,
                    epoch=signal.epoch,
                    pseudonym=alias,
                    signal_id=signal.signal_id,
                )
                for alias in header.aliases
            ]
        )
