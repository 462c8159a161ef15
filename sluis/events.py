# SPDX-License-Identifier: EUPL-1.2
"""Structured logs: one JSON object a line on stderr, and a catalogue of which fields an event may carry.

An event or a field that is not in the catalogue is replaced by `event.unlisted` with names only, so that a
careless line of code cannot write a value of a signal into a log.
"""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

_NAME = re.compile(r"[a-z][a-z.-]{0,58}")  # no digits, no sentence
ALWAYS = frozenset({"event", "level", "timestamp", "logger", "service", "exception"})

CATALOGUE: dict[str, frozenset[str]] = {
    # every service
    "service.started": frozenset(
        {"address", "port", "version", "database", "policy", "origin", "tap", "http", "console"}
    ),
    "service.stopping": frozenset({"grace"}),
    "service.stopped": frozenset(),
    "call.refused": frozenset({"method", "code"}),
    "call.defect": frozenset({"method", "kind"}),
    # the broker
    "batch.failed": frozenset({"code", "works"}),
    "work.defect": frozenset({"work", "kind"}),
    "checkpoint.signed": frozenset({"size", "cosignatures"}),
    "checkpoint.failed": frozenset({"code", "reason"}),
    "witness.failed": frozenset({"witness", "code"}),
    "policy.switched": frozenset({"policy"}),
    "policy.differs": frozenset({"policy", "offered"}),
    "storage.failed": frozenset({"code"}),
    "storage.recovered": frozenset(),
    "adl.record": frozenset({"record"}),  # words of the rules only: sluis/decision_log.py
    "console.sign-in-failed": frozenset({"kind"}),
    "retention.swept": frozenset({"signals", "links", "registers", "moved", "held"}),
    "retention.failed": frozenset({"code", "reason"}),
    "projection.failed": frozenset({"code", "reason"}),
    "projection.entry-lost": frozenset({"log_index"}),
    "projection.entry-unreadable": frozenset({"log_index"}),
    "epoch.retired": frozenset({"epoch"}),
    "epoch.retiring-failed": frozenset({"code"}),
    "epoch.adopted": frozenset({"epoch"}),
    # a participant's kit
    "receipt.alarm": frozenset({"kind", "log_index", "evidence"}),
    # an evaluator
    "evaluated": frozenset({"caller", "agreement", "recipient", "epochs", "elements", "remaining"}),
    "key.published": frozenset({"agreement", "recipient", "epoch"}),
    "key.publishing-failed": frozenset({"code"}),
    "seeds.changed": frozenset({"epochs"}),
    "seeds.unreadable": frozenset({"code"}),
    "epoch.destroyed": frozenset({"epoch", "log_index"}),
    # a witness
    "witness.started": frozenset({"name", "address", "vkeys"}),
    "witness.stopped": frozenset({"name"}),
    "witness.unavailable": frozenset({"origin", "code"}),
    "checkpoint.cosigned": frozenset({"origin", "old", "size"}),
    "checkpoint.inconsistent": frozenset({"origin", "old", "size"}),
    "log.forked": frozenset({"origin", "size", "cosigned_root", "checkpoint"}),
    "request.refused": frozenset({"status"}),
}

Event = MutableMapping[str, Any]


def only_catalogued(_logger: Any, _name: str, event: Event) -> Event:
    """Let through what the catalogue lists; name what it does not."""
    name = str(event.get("event"))
    allowed = CATALOGUE.get(name)
    if allowed is None:
        kept = {key: value for key, value in event.items() if key in ALWAYS}
        return {**kept, "event": "event.unlisted", "name": name if _NAME.fullmatch(name) else "?"}
    extra = [key for key in event if key not in ALWAYS and key not in allowed]
    for key in extra:
        del event[key]
    return event


def without_exception_text(_logger: Any, _name: str, event: Event) -> Event:
    """Of an exception keep where it was raised, never its text, which may quote a value."""
    info = event.pop("exc_info", None)
    if info:
        error = sys.exc_info()[1]
        trace = error.__traceback__ if error else None
        places = []
        while trace is not None:
            code = trace.tb_frame.f_code
            places.append(f"{code.co_filename.rsplit('/', 1)[-1]}:{trace.tb_lineno} {code.co_name}")
            trace = trace.tb_next
        event["exception"] = places[-8:]
    return event


def configure_logs(service: str, *, level: int = logging.INFO) -> None:
    """Send this process's events to stderr as JSON lines."""

    def add_service(_logger: Any, _name: str, event: Event) -> Event:
        return {**event, "service": service}

    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            without_exception_text,
            only_catalogued,
            add_service,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
