# SPDX-License-Identifier: EUPL-1.2
"""The broker put together: which part holds which. No configuration, no sockets."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from broker.admission import Directory
from broker.committer import Committer
from broker.exchange import Desk, Exchange
from broker.followup.delivery import FollowUpMailbox
from broker.followup.life import FollowUps
from broker.mailbox.delivery import Doorbell, Mailbox
from broker.match.question import Matching
from broker.match.watch import Watching
from broker.policy.active import ActivePolicy
from broker.register.loading import Registers
from broker.signer import ReceiptSigner
from broker.storage.port import Store
from sluis.policy.bundle import Bundle
from sluis.signing import SigningKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Broker:
    """All parts of one broker process. Start the committer before use, close it afterwards."""

    store: Store
    desk: Desk
    exchange: Exchange
    matching: Matching
    mailbox: Mailbox
    registers: Registers
    follow_ups: FollowUps
    follow_up_mailbox: FollowUpMailbox
    doorbell: Doorbell


def make_broker(
    store: Store,
    bundle: Bundle,
    receipt_key: SigningKey,
    origin: str,
    clock: Callable[[], datetime],
    stopping: Callable[[], bool] = lambda: False,
) -> Broker:
    """Put a broker together on a store; `bundle` decides until the log activates another."""
    doorbell = Doorbell()
    policy = ActivePolicy(store, bundle)
    desk = Desk(
        committer=Committer(store, clock, doorbell.ring, on_begin=policy.sync),
        directory=Directory(store, policy),
        policy=policy,
        signer=ReceiptSigner(receipt_key, origin),
        clock=clock,
    )
    return Broker(
        store=store,
        desk=desk,
        exchange=Exchange(desk, Watching(desk)),
        matching=Matching(desk, store),
        mailbox=Mailbox(desk, store, doorbell, stopping),
        registers=Registers(desk, store),
        follow_ups=FollowUps(desk),
        follow_up_mailbox=FollowUpMailbox(desk, store, doorbell, stopping),
        doorbell=doorbell,
    )
