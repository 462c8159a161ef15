# SPDX-License-Identifier: EUPL-1.2
"""Until when the data of one exchange are kept and by which term, or when they were destroyed: sentences for a page."""

from dataclasses import dataclass
from datetime import datetime

from broker.console.pages import Context, moment_of
from broker.console.story import period_words
from broker.console.texts import has_text
from broker.retention.destroy import counted_from
from broker.retention.overdue import GRACE_MS
from broker.storage.retention_port import RetainedSignal
from sluis.hold import HoldReason


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeping:
    """What the page of an exchange says of keeping; `record` is the log index of the destruction record.

    `bared`: the entry and moment at which all that was sealed was taken out, because the signal was taken back.
    """

    state: str  # kept, bare, held, overdue or destroyed
    end: datetime
    because: str
    rule: str = ""
    destroyed_at: datetime | None = None
    record: int | None = None
    hold: str = ""
    bared: tuple[int, datetime] | None = None


def keeping_of(context: Context, exchange: str) -> Keeping | None:
    """What to say of an exchange; nothing for a refusal, of which nothing was kept."""
    reader = context.reader.retention
    signal = reader.signal(exchange)
    if signal is None:
        return None
    period, rule, start = counted_from(signal)
    known = context.bundle.rules.get(rule)
    because = context.t(f"keeping.because.{start}", period=period_words(context.language, period))
    rule_title = known.title if known else rule
    end = moment_of(signal.retain_until_ms)
    destroyed = reader.record(signal)
    if destroyed is not None:
        return Keeping(
            state="destroyed",
            end=end,
            because=because,
            rule=rule_title,
            destroyed_at=datetime.fromisoformat(destroyed.record["time"]),
            record=destroyed.log_index,
        )
    hold = _hold(context, signal)
    late = context.now.timestamp() * 1000 > signal.retain_until_ms + GRACE_MS
    bared = reader.bared(signal)
    state = "held" if hold else "overdue" if late else "bare" if bared else "kept"
    return Keeping(state=state, end=end, because=because, rule=rule_title, hold=hold, bared=bared)


def _hold(context: Context, signal: RetainedSignal) -> str:
    """Why the data are kept beyond their term, as far as she may know."""
    hold = context.reader.retention.hold_of(signal)
    if hold is None:
        return ""
    if not context.reader.retention.may_know(hold):
        return context.t("keeping.hold.other")
    return reason_words(context, hold.reason)


def reason_words(context: Context, code: str) -> str:
    """A hold's reason in words."""
    key = f"keeping.reason.{code}"
    return context.t(key) if code in set(HoldReason) and has_text(key) else code
