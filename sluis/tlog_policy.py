# SPDX-License-Identifier: EUPL-1.2
"""Which logs, and which witnesses in which numbers, make a checkpoint hold (c2sp.org/tlog-policy).

    log <vkey> [<url>]
    witness <name> <vkey> [<url>]
    group <name> all|any|<k> <name>...        at least k of these have cosigned
    quorum <name>|none

A name must be defined above the line that uses it, and is a member of one group at most, so no witness counts twice.
Names are opaque bytes of this file alone. Spaces, tabs, empty lines and `#` lines may be anywhere; `format` writes
the one text without them, groups with their number. One key under two names is refused, as the specification asks,
and so is a witness with the log's own key, which would prove nothing.
"""

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from sluis.checkpoint import (
    LOG_TYPES,
    WITNESS_TYPES,
    VerifiedCheckpoint,
    parse_vkeys,
    verify_cosignatures,
    verify_log_signature,
)
from sluis.errors import InvalidInput, NotAuthentic
from sluis.note import Note, SignatureType, VKey

NONE: Final = "none"
MAX_POLICY: Final = 1 << 18
MAX_LINES: Final = 256  # of each sort; the specification recommends to read 32 at least

_FORBIDDEN = re.compile(rb"[\x00-\x08\x0b-\x1f\x7f]")
_NUMBER = re.compile(r"[1-9][0-9]{0,3}")
_WORD = re.compile(r"[^ \t\n]+")
_ALGORITHM: Final = {
    SignatureType.COSIGNATURE_ED25519: "ed25519",
    SignatureType.COSIGNATURE_MLDSA44: "mldsa44",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownLog:
    """A log whose checkpoints are accepted; its origin is the name of its key."""

    vkey: VKey
    url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownWitness:
    """One key that cosigns, under the name that the policy gives it."""

    name: str
    vkey: VKey
    url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A group has witnessed a checkpoint when at least `threshold` of its members have."""

    name: str
    threshold: int
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TlogPolicy:
    """A whole policy. Raises InvalidInput `malformed-config` when it contradicts itself."""

    logs: tuple[KnownLog, ...] = ()
    witnesses: tuple[KnownWitness, ...] = ()
    groups: tuple[Group, ...] = ()
    quorum: str

    def __post_init__(self) -> None:
        for lines in (self.logs, self.witnesses, self.groups):
            if len(lines) > MAX_LINES:
                raise _wrong(f"more than {MAX_LINES} lines of one sort")
        urls = [log.url for log in self.logs] + [one.url for one in self.witnesses]
        words = [*filter(None, urls), *self._names(), self.quorum]
        if not all(_WORD.fullmatch(word) for word in words) or _FORBIDDEN.search(self.format()):
            raise _wrong("a name or address is empty, or holds a space or control character")
        self._check_keys()
        self._check_groups()

    @classmethod
    def of(cls, log_vkeys: Sequence[VKey], witness_vkeys: Sequence[VKey], quorum: int) -> "TlogPolicy":
        """Say as a policy: any of these keys of the log, and `quorum` witnesses; a witness is a name.

        A witness with two keys becomes a group of which either counts.
        """
        names = list(dict.fromkeys(vkey.name for vkey in witness_vkeys))
        if not 0 <= quorum <= len(names):
            raise _wrong(f"a quorum of {quorum} cannot be met by these witnesses")
        witnesses: list[KnownWitness] = []
        groups: list[Group] = []
        for name in names:
            keys = [vkey for vkey in witness_vkeys if vkey.name == name]
            if len(keys) == 1:
                witnesses.append(KnownWitness(name=name, vkey=keys[0]))
                continue
            parts = [KnownWitness(name=f"{name}:{_ALGORITHM[key.type]}", vkey=key) for key in keys]
            witnesses += parts
            groups.append(Group(name=name, threshold=1, members=tuple(part.name for part in parts)))
        needed = NONE
        if quorum:
            # Kept apart from the witnesses' names, none of which holds a plus.
            needed = names[0] if len(names) == 1 else "+quorum"
        if needed == "+quorum":
            groups.append(Group(name=needed, threshold=quorum, members=tuple(names)))
        logs = tuple(KnownLog(vkey=vkey) for vkey in log_vkeys)
        return cls(logs=logs, witnesses=tuple(witnesses), groups=tuple(groups), quorum=needed)

    @classmethod
    def parse(cls, data: bytes) -> "TlogPolicy":
        """Read a policy file. Raises InvalidInput `malformed-config` or `message-too-large`, naming the line."""
        if len(data) > MAX_POLICY:
            raise InvalidInput("message-too-large", f"a policy has at most {MAX_POLICY} bytes")
        if _FORBIDDEN.search(data):
            raise _wrong("a control character other than tab and newline")
        reading = _Reading()
        # Bytes above 0x7F are opaque: they come back as they were.
        for number, line in enumerate(data.decode("utf-8", "surrogateescape").split("\n"), 1):
            words = _WORD.findall(line)
            if not words or words[0].startswith("#"):
                continue
            try:
                reading.line(words)
            except InvalidInput as error:
                raise InvalidInput("malformed-config", error.message, where=f"line {number}") from None
        return reading.policy()

    def format(self) -> bytes:
        """Write the policy; the same policy always gives the same bytes."""
        return "".join(f"{' '.join(words)}\n" for words in self._lines()).encode("utf-8", "surrogateescape")

    @property
    def log_vkeys(self) -> tuple[VKey, ...]:
        """The keys of the logs."""
        return tuple(known.vkey for known in self.logs)

    @property
    def witness_vkeys(self) -> tuple[VKey, ...]:
        """The keys of the witnesses."""
        return tuple(known.vkey for known in self.witnesses)

    def satisfied(self, cosigned: Collection[str]) -> bool:
        """Say whether cosignatures of these witnesses, by the policy's names, are enough."""
        if self.quorum == NONE:
            return True
        done = set(cosigned) & {known.name for known in self.witnesses}
        for group in self.groups:  # members stand above their group
            if sum(member in done for member in group.members) >= group.threshold:
                done.add(group.name)
        return self.quorum in done

    def verify_checkpoint(self, text: str) -> VerifiedCheckpoint:
        """Check a checkpoint: a known log signed it, no line of a known key is false, the quorum is met.

        Raises NotAuthentic `checkpoint-wrong` or `not-witnessed`.
        """
        try:
            note = Note.parse(text)
            checkpoint = verify_log_signature(note, self.log_vkeys)
        except InvalidInput as error:
            raise NotAuthentic("checkpoint-wrong", f"not a checkpoint: {error.message}") from None
        cosigned: set[str] = set()
        times: dict[str, int] = {}
        for known in self.witnesses:
            for name, time in verify_cosignatures(note, checkpoint, [known.vkey]).items():
                cosigned.add(known.name)
                times[name] = max(time, times.get(name, 0))
        if not self.satisfied(cosigned):
            message = f"the quorum `{self.quorum}` is not met: {len(times)} trusted witnesses cosigned"
            raise NotAuthentic("not-witnessed", message)
        return VerifiedCheckpoint(checkpoint=checkpoint, cosigners=tuple(sorted(times)), timestamps=times)

    def _names(self) -> list[str]:
        return [known.name for known in self.witnesses] + [group.name for group in self.groups]

    def _check_keys(self) -> None:
        for known, types in ((self.log_vkeys, LOG_TYPES), (self.witness_vkeys, WITNESS_TYPES)):
            if any(vkey.type not in types for vkey in known):
                raise _wrong("a key whose type does not fit its role")
        public = [vkey.public for vkey in (*self.log_vkeys, *self.witness_vkeys)]
        if len(set(public)) != len(public):
            raise _wrong("one key stands in two lines")

    def _check_groups(self) -> None:
        names = self._names()
        if NONE in names or len(set(names)) != len(names):
            raise _wrong(f"a name is defined twice, or is `{NONE}`")
        open_names = {known.name for known in self.witnesses}
        for group in self.groups:
            if not 1 <= group.threshold <= len(group.members):
                raise _wrong("a group needs at least one and at most all of its members")
            if len(set(group.members)) != len(group.members) or not set(group.members) <= open_names:
                raise _wrong("a member is not defined above, or is a member already")
            # A name in two groups could count twice.
            open_names = (open_names - set(group.members)) | {group.name}
        if self.quorum != NONE and self.quorum not in names:
            raise _wrong("the quorum is not defined above")

    def _lines(self) -> Iterator[list[str]]:
        for log in self.logs:
            yield ["log", str(log.vkey), *([log.url] if log.url else [])]
        for one in self.witnesses:
            yield ["witness", one.name, str(one.vkey), *([one.url] if one.url else [])]
        for group in self.groups:
            yield ["group", group.name, str(group.threshold), *group.members]
        yield ["quorum", self.quorum]


class _Reading:
    """What was read so far; refuses a name that is not defined yet."""

    def __init__(self) -> None:
        self._logs: list[KnownLog] = []
        self._witnesses: list[KnownWitness] = []
        self._groups: list[Group] = []
        self._quorum = ""
        self._defined: set[str] = set()

    def line(self, words: list[str]) -> None:
        match words:
            case ["log", vkey, *url] if len(url) <= 1:
                self._logs.append(KnownLog(vkey=parse_vkeys([vkey], LOG_TYPES)[0], url="".join(url)))
            case ["witness", name, vkey, *url] if len(url) <= 1:
                [key] = parse_vkeys([vkey], WITNESS_TYPES)
                self._define(name)
                self._witnesses.append(KnownWitness(name=name, vkey=key, url="".join(url)))
            case ["group", name, threshold, *members] if members:
                self._use(members)
                self._define(name)
                number = _threshold(threshold, len(members))
                self._groups.append(Group(name=name, threshold=number, members=tuple(members)))
            case ["quorum", name] if not self._quorum:
                self._use([name] if name != NONE else [])
                self._quorum = name
            case _:
                raise _wrong("no line of a policy, or a second quorum")

    def policy(self) -> TlogPolicy:
        if not self._quorum:
            raise _wrong("a policy has exactly one quorum line")
        return TlogPolicy(
            logs=tuple(self._logs),
            witnesses=tuple(self._witnesses),
            groups=tuple(self._groups),
            quorum=self._quorum,
        )

    def _define(self, name: str) -> None:
        if name == NONE or name in self._defined:
            raise _wrong(f"a name is defined twice, or is `{NONE}`")
        self._defined.add(name)

    def _use(self, names: Sequence[str]) -> None:
        if not set(names) <= self._defined:
            raise _wrong("a name that is not defined above")


def _threshold(word: str, members: int) -> int:
    if word in ("any", "all"):
        return 1 if word == "any" else members
    if not _NUMBER.fullmatch(word):
        raise _wrong("the number of a group is `any`, `all` or a decimal number")
    return int(word)


def _wrong(message: str) -> InvalidInput:
    return InvalidInput("malformed-config", f"the log policy is wrong: {message}")
