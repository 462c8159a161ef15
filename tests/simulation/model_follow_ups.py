# SPDX-License-Identifier: EUPL-1.2
"""What may be said of a signal afterwards, whom it reaches, and who owes what: the second half of the model.

docs/follow-up.md and adr 13 in another form. Only a question and its answer have rules of their own; what a party
owes about an earlier signal passes whatever stopped since, but for a certificate that was revoked.
"""

from uuid import UUID

from tests.simulation.model import AGREEMENT, DAY, Duty, Model, Signal

DECIDED = {"ask", "answer"}
OF_THE_SENDER = {"answer", "correct", "rectify", "recall"}
TAKING_BACK = {"correct", "rectify", "recall"}
BROKER = ""  # as author of `destroy`
BINDING = {"correct", "rectify", "recall", "destroy"}


def answer_to(
    model: Model,
    act: str,
    signal: Signal,
    author: str,
    refers_to: UUID | None = None,
    *,
    current_key: bool = True,
) -> str:
    """What the answer to a follow-up is: `sent`, `deny`, or the code of a refusal."""
    if refused := model.caller(author, owed=act not in DECIDED):
        return refused
    if not current_key:
        return "signing-key-replaced"
    if act in OF_THE_SENDER:
        if not signal.permitted or signal.sender != author:
            return "not-the-sender"
    elif not signal.permitted or signal.recipient != author or not signal.released:
        return "not-a-holder"
    match act:
        case "answer":
            return (_open(model, "answer", signal, refers_to) and "already-done") or _decided(model, signal)
        case "ask":
            return _decided(model, signal)
        case "correct" | "rectify" | "recall":
            if "recall" in signal.said or act in signal.said:
                return "contradicts-earlier"
            return "not-a-correction" if act == "correct" and signal.gone else "sent"
        case "attend" if not owed(model, "attend", signal):
            return "not-demanded"
    return "sent"


def _open(model: Model, act: str, signal: Signal, follow_up: UUID | None) -> bool:
    return not [duty for duty in owed(model, act, signal) if duty.follow_up == follow_up]


def _decided(model: Model, signal: Signal) -> str:
    return "deny" if {AGREEMENT, signal.sender, signal.recipient} & model.stopped else "sent"


def owed(model: Model, act: str, signal: Signal) -> list[Duty]:
    """What is still owed about a signal."""
    return [duty for duty in model.duties if duty.act == act and duty.signal_id == signal.signal_id]


def done(model: Model, duties: list[Duty]) -> None:
    """These are owed no more."""
    for duty in duties:
        model.duties.remove(duty)


def tell(model: Model, party: str, follow_up: UUID, copy: UUID) -> None:
    """A follow-up waits for a party, about a copy."""
    model.told.setdefault(party, []).append((follow_up, copy))


def with_copies(model: Model, first: Signal) -> list[Signal]:
    """A signal, and all that was passed on from it."""
    found = [first]
    for signal in found:
        found += [
            other
            for other in model.signals.values()
            if other.permitted and other.passed_on and other.previous == signal.signal_id
        ]
    return found


def said(model: Model, act: str, signal: Signal, follow_up: UUID, refers_to: UUID | None = None) -> None:
    """A follow-up was sent: what follows."""
    model.log.append((f"followup.{act}", "sent"))
    match act:
        case "ask":
            tell(model, signal.sender, follow_up, signal.signal_id)
            duty = Duty(
                act="answer",
                debtor=signal.sender,
                creditor=signal.recipient,
                signal_id=signal.signal_id,
                follow_up=follow_up,
                due_ms=model.now() + 14 * DAY,
            )
            model.duties.append(duty)
        case "answer":
            tell(model, signal.recipient, follow_up, signal.signal_id)
            done(model, [duty for duty in owed(model, "answer", signal) if duty.follow_up == refers_to])
        case "feedback" | "attend":
            tell(model, signal.sender, follow_up, signal.signal_id)
            done(model, owed(model, act, signal))
        case "correct" | "rectify" | "recall":
            take_back(model, act, signal, follow_up)


def interim(model: Model, signal: Signal, follow_up: UUID) -> None:
    """Feedback that is not the last word: the sender hears it, and it stays owed."""
    model.log.append(("followup.feedback", "sent"))
    tell(model, signal.sender, follow_up, signal.signal_id)


def take_back(model: Model, act: str, signal: Signal, follow_up: UUID) -> None:
    """G10: nothing of it goes out any more, and each holder of a copy is told, and owes that it did as was asked."""
    signal.said.add(act)
    copies = with_copies(model, signal)
    notify(model, copies, follow_up, signal.sender)
    for copy in copies:
        copy.was_held = model.is_held(copy) if not copy.taken_back else copy.was_held
        copy.taken_back = True
        done(
            model,
            [duty for duty in model.duties if duty.signal_id == copy.signal_id and duty.act != "fulfil"],
        )


def notify(model: Model, copies: list[Signal], follow_up: UUID, author: str) -> None:
    """Each holder hears it, and owes an answer to its author."""
    for copy in copies:
        if copy.released:
            model.log.append(("followup.notify", "told"))
            tell(model, copy.recipient, follow_up, copy.signal_id)
            model.owe("fulfil", copy, model.now() + 7 * DAY, follow_up, author)


def replaced(model: Model, first: Signal, right: Signal, index: int) -> None:
    """The right signal takes the place of the first: where that was, and for no longer than that."""
    right.index, right.permitted, right.replaces = index, True, True
    right.term_ms, right.lost_ms = min(first.term_ms, right.expires_ms), first.lost_ms
    right.until_ms = min(first.until_ms, right.term_ms)
    model.signals[right.signal_id] = right
    model.log.append(("signal.correct", "on_match" if right.deposit else "mailbox"))
    if not right.deposit:
        model.deliver(right, index)
    elif model.is_watched(right) and not model.questions(right.epoch):
        model.hit(right, index)


def fulfilled(model: Model, duty: Duty, follow_up: UUID, about: UUID) -> None:
    """A holder did with its copy what was asked; the author hears it, about its own signal."""
    model.log.append(("followup.fulfil", "sent"))
    model.duties.remove(duty)
    if duty.creditor != BROKER:
        tell(model, duty.creditor, follow_up, about)


def destroyed(model: Model, signal: Signal, follow_up: UUID) -> None:
    """Who received what ended is asked to destroy its copy too, unless it was called back."""
    model.log.append(("followup.destroy", "sent"))
    notify(model, [signal], follow_up, BROKER)
