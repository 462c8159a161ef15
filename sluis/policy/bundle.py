# SPDX-License-Identifier: EUPL-1.2
"""A bundle: the catalogue and all agreements of one moment, checked, indexed and content-addressed.

    digest = "sha256:" + hex(SHA-256(lp("sluis/v1/policy", name_1, content_1, name_2, content_2, ...)))

Names are `catalog/roles`, `agreements/waadi-14b` and so on, sorted; content is the file as canonical JSON, so
that comments, layout and the order of files do not matter. A bundle loads whole or not at all.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import lru_cache
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

from sluis.canonical import canonical_json
from sluis.encoding import lp
from sluis.policy.catalog import SORTS, Catalog, ClaimSpec, FieldSpec, read_catalog
from sluis.policy.conditions import FactMissing, FactProven
from sluis.policy.facts import RegisterFact
from sluis.policy.lint import check_agreements
from sluis.policy.rules import Agreement, Operation, Rule, RuleEffect, Status
from sluis.policy.schema import read
from sluis.policy.yaml_strict import MAX_BYTES, Document, load, refusal

MAX_FILES = 500
SMALL = 1 << 16  # bytes; what is larger is read again each time, and takes no room
ZONE = "Europe/Amsterdam"
FOLLOW_UPS = "follow_ups"

# agreement, operation, sender role, recipient role, kind
PermitKey: TypeAlias = tuple[str, str, str, str, str]
# agreement, operation, recipient role
ProhibitionKey: TypeAlias = tuple[str, str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """All rules and words of one moment. Made by `load_bundle` or `read_bundle`, which check them."""

    digest: str
    # Not in the repr: whoever prints a kit or a broker wants no megabyte of rules.
    catalog: Catalog = field(repr=False)
    agreements: Mapping[str, Agreement] = field(repr=False)
    permits: Mapping[PermitKey, tuple[Rule, ...]] = field(repr=False)
    prohibitions: Mapping[ProhibitionKey, tuple[Rule, ...]] = field(repr=False)
    rules: Mapping[str, Rule] = field(repr=False)
    turns: tuple[date, ...] = field(repr=False)  # the days on which some rule begins or has ended, in order
    zone: ZoneInfo
    # What a reader derived from this bundle; not part of its value. Keys are made of known words only.
    memo: dict[object, Any] = field(default_factory=dict, init=False, compare=False, repr=False)

    @property
    def fields(self) -> Mapping[str, FieldSpec]:
        """The fields of the catalogue."""
        return self.catalog.fields

    @property
    def claims(self) -> Mapping[str, ClaimSpec]:
        """The claims of the catalogue."""
        return self.catalog.claims

    def sector_of(self, role: str) -> str:
        """`public` or `private`; empty for a role that is not in the catalogue."""
        known = self.catalog.roles.get(role)
        return known.sector.value if known else ""

    def flows(self, agreement: str) -> set[tuple[str, str]]:
        """The (sender role, recipient role) pairs between which signals may be pushed, on any date."""
        return {
            (sender, recipient)
            for name, operation, sender, recipient, _ in self.permits
            if name == agreement and operation == Operation.PUSH
        }

    def register_facts(self, agreement: str, operation: str) -> Mapping[str, RegisterFact]:
        """The register facts, by name, that deciding such a request may need."""
        found = [
            rule
            for index in (self.permits, self.prohibitions)
            for key, rules in index.items()
            if key[:2] == (agreement, operation)
            for rule in rules
        ]
        names = {
            item.fact if isinstance(item, FactProven) else item.without_fact
            for rule in found
            for item in rule.conditions
            if isinstance(item, FactProven | FactMissing)
        }
        return {name: fact for name, fact in self.catalog.register_facts.items() if name in names}

    def with_agreements(self, agreements: Mapping[str, Agreement]) -> "Bundle":
        """The same catalogue under other rules, unchecked: to ask what if. Its digest is of no file."""
        return _indexed("unsaved", self.catalog, agreements)


def default_directory() -> Traversable:
    """The rules that were installed with Sluis."""
    return resources.files("policies")


@lru_cache(maxsize=1)
def _installed_follow_ups() -> Document:
    name = f"catalog/{FOLLOW_UPS}.yaml"
    return load(default_directory().joinpath(name).read_bytes(), name)


def load_bundle(directory: Traversable | Path) -> Bundle:
    """Load all rules below a directory. Raises InvalidInput `malformed-rule` or `file-not-found`."""
    return read_bundle(read_files(directory))


def read_bundle(files: Mapping[str, bytes]) -> Bundle:
    """Build a bundle from files by name (`catalog/roles.yaml`). Raises InvalidInput `malformed-rule`."""
    documents = {name: _document(data, name) for name, data in files.items()}
    words = {_stem(name): document for name, document in documents.items() if name.startswith("catalog/")}
    if missing := set(SORTS) - words.keys() - {FOLLOW_UPS}:
        raise refusal("this file of the catalogue is missing", f"catalog/{min(missing)}.yaml", 1)
    if strange := words.keys() - set(SORTS):
        raise refusal("the catalogue has no such file", f"catalog/{min(strange)}.yaml", 1)
    # Rules from before there were follow-ups: a recall must not wait for officers to approve its words.
    words.setdefault(FOLLOW_UPS, _installed_follow_ups())
    catalog = read_catalog(words)
    texts = {_stem(name): document for name, document in documents.items() if name.startswith("agreements/")}
    agreements = {name: read(document, Agreement) for name, document in sorted(texts.items())}
    for name, agreement in agreements.items():
        if agreement.id != name:
            raise texts[name].refusal(f"the id `{agreement.id}` differs from the name of the file", ("id",))
    check_agreements(agreements, texts, catalog)
    return _indexed(_digest(documents), catalog, agreements)


def _document(data: bytes, name: str) -> Document:
    return _remembered(data, name) if len(data) <= SMALL else load(data, name)


@lru_cache(maxsize=64)
def _remembered(data: bytes, name: str) -> Document:
    """Read a file; of two versions of the rules most files are the same. Nobody changes a document."""
    return load(data, name)


def _indexed(digest: str, catalog: Catalog, agreements: Mapping[str, Agreement]) -> Bundle:
    rules = {rule.id: rule for item in agreements.values() for rule in item.rules}
    return Bundle(
        digest=digest,
        catalog=catalog,
        agreements=MappingProxyType(dict(agreements)),
        permits=_index_permits(agreements),
        prohibitions=_index_prohibitions(agreements, catalog),
        rules=MappingProxyType(rules),
        turns=tuple(sorted({day for rule in rules.values() for day in _turns(rule)})),
        zone=ZoneInfo(ZONE),
    )


def _turns(rule: Rule) -> Iterator[date]:
    """The days from which a rule applies, and no longer does."""
    yield rule.valid_from
    if rule.valid_until is not None and rule.valid_until < date.max:
        yield rule.valid_until + timedelta(days=1)


def read_files(directory: Traversable | Path) -> dict[str, bytes]:
    """The rule files below a directory by name. Raises InvalidInput `malformed-rule`."""
    return dict(_files(directory))


def _files(directory: Traversable | Path) -> Iterator[tuple[str, bytes]]:
    count = 0
    for folder in ("catalog", "agreements"):
        try:
            entries = sorted(directory.joinpath(folder).iterdir(), key=lambda entry: entry.name)
            for entry in entries:
                if entry.name.startswith((".", "__")):
                    continue
                name = f"{folder}/{entry.name}"
                count += 1
                if not entry.name.endswith(".yaml") or not entry.is_file() or count > MAX_FILES:
                    raise refusal(f"only rule files (.yaml, at most {MAX_FILES}) belong here", name, 1)
                with entry.open("rb") as stream:
                    yield name, stream.read(MAX_BYTES + 1)
        except OSError as error:
            raise refusal(f"the rules cannot be read: {error.strerror}", folder, 1) from None


def _stem(name: str) -> str:
    return name.partition("/")[2].removesuffix(".yaml")


def _digest(documents: Mapping[str, Document]) -> str:
    parts: list[bytes | str] = ["sluis/v1/policy"]
    for name, document in sorted(documents.items()):
        parts += [name.removesuffix(".yaml"), canonical_json(_ascii_keys(document))]
    return f"sha256:{hashlib.sha256(lp(*parts)).hexdigest()}"


def _ascii_keys(document: Document) -> object:
    for path, line in document.lines.items():
        if path and isinstance(path[-1], str) and not path[-1].isascii():
            raise refusal("a key must be plain ASCII", document.name, line)
    return document.value


def _deciding(agreements: Mapping[str, Agreement], effect: RuleEffect) -> Iterator[tuple[Agreement, Rule]]:
    for agreement in agreements.values():
        for rule in sorted(agreement.rules, key=lambda rule: rule.id):
            if rule.effect is effect and rule.status is not Status.DRAFT:
                yield agreement, rule


def _index_permits(agreements: Mapping[str, Agreement]) -> Mapping[PermitKey, tuple[Rule, ...]]:
    index: dict[PermitKey, list[Rule]] = defaultdict(list)
    for agreement, rule in _deciding(agreements, RuleEffect.PERMIT):
        for operation in rule.operations:
            for sender in rule.sender_roles:
                for recipient in rule.recipient_roles:
                    for kind in rule.kinds:
                        index[(agreement.id, operation.value, sender, recipient, kind)].append(rule)
    return MappingProxyType({key: tuple(rules) for key, rules in index.items()})


def _index_prohibitions(
    agreements: Mapping[str, Agreement], catalog: Catalog
) -> Mapping[ProhibitionKey, tuple[Rule, ...]]:
    index: dict[ProhibitionKey, list[Rule]] = defaultdict(list)
    for agreement, rule in _deciding(agreements, RuleEffect.PROHIBIT):
        roles = _recipients(rule, catalog)
        operations = [operation.value for operation in rule.operations]
        for name in agreements if agreement.is_general else [agreement.id]:
            for operation in operations:
                for role in roles:
                    index[(name, operation, role)].append(rule)
    return MappingProxyType({key: tuple(rules) for key, rules in index.items()})


def _recipients(rule: Rule, catalog: Catalog) -> list[str]:
    """The recipient roles of a prohibition; without any, all of its sectors; without those, all."""
    return [
        name
        for name, role in catalog.roles.items()
        if (not rule.recipient_roles or name in rule.recipient_roles)
        and (not rule.recipient_sectors or role.sector in rule.recipient_sectors)
    ]
