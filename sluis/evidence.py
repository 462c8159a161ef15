# SPDX-License-Identifier: EUPL-1.2
"""The evidence bundle: all that shows what was decided on one exchange, to be checked offline (`.zip`).

    manifest.json                  which entries, which rules, made by which version; SHA-256 of each file
    entries/<index>.json           the log's entries of the exchange, byte for byte
    proofs/<index>.tlog-proof      that each stands in the log (c2sp.org/tlog-proof)
    checkpoint.txt                 the signed and cosigned checkpoint under every proof
    keys/log.txt, keys/witnesses.txt    the verifier keys of its signatures, one a line
    rules/<digest>.zlib            the rules that decided (sluis.policy.archive), by their digest
    reading/<digest>-<agreement>.md     the reading version of those rules
    HOW-TO-VERIFY.md

A bundle has one spelling: it is read by its parts, written again from them, and must be the same bytes. Keys in it
are for finding one's way; a verifier brings its own.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from sluis import __version__
from sluis.canonical import canonical_json, parse_canonical
from sluis.checkpoint import (
    LOG_TYPES,
    WITNESS_TYPES,
    VerifiedCheckpoint,
    parse_vkeys,
    verify_checkpoint,
)
from sluis.errors import InvalidInput, NotAuthentic, SluisError
from sluis.evidence_text import HOW_TO_VERIFY
from sluis.merkle import Hash
from sluis.note import Note, VKey
from sluis.policy.archive import unpack
from sluis.policy.bundle import Bundle, read_bundle
from sluis.policy.reading import pages
from sluis.stored_zip import pack_zip, unpack_zip
from sluis.tlog_policy import TlogPolicy
from sluis.tlog_proof import TlogProof

MANIFEST, CHECKPOINT, HOW_TO = "manifest.json", "checkpoint.txt", "HOW-TO-VERIFY.md"
LOG_KEYS, WITNESS_KEYS = "keys/log.txt", "keys/witnesses.txt"
UNKNOWN = "?"

_ENTRY = re.compile(r"entries/(0|[1-9][0-9]{0,18})\.json")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_VERSION = re.compile(r"[0-9a-z.+-]{1,40}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvenEntry:
    """An entry of the log and its inclusion proof under the bundle's checkpoint."""

    index: int
    entry: bytes
    proof: tuple[Hash, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What goes into a bundle; nothing is believed of it before `verify_evidence`.

    `rules` holds archives by digest. `version` and `prose` (texts for reading, by name) are those of whoever made it.
    """

    entries: tuple[ProvenEntry, ...]
    checkpoint: str
    log_vkeys: tuple[VKey, ...]
    witness_vkeys: tuple[VKey, ...]
    rules: Mapping[str, bytes]
    version: str = __version__
    prose: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedEvidence:
    """A bundle that holds.

    `prose_checked` is false when another version of Sluis made its texts for reading: rules and entries hold, and
    whether HOW-TO-VERIFY.md and the reading pages say the same was not checked.
    """

    exchange: str
    entries: Mapping[int, Mapping[str, Any]]
    checkpoint: VerifiedCheckpoint
    rules: tuple[str, ...]
    version: str
    prose_checked: bool


def make_evidence(
    entries: Sequence[ProvenEntry],
    checkpoint: str,
    log_vkeys: Sequence[VKey],
    witness_vkeys: Sequence[VKey],
    rules: Mapping[str, bytes],
) -> Evidence:
    """Put a bundle's contents together: signature lines and keys that are not each other's are left out."""
    note = Note.parse(checkpoint)
    signed = {vkey: lines[:1] for vkey in (*log_vkeys, *witness_vkeys) if (lines := vkey.signatures_in(note))}
    signatures = tuple(line for lines in signed.values() for line in lines)
    return Evidence(
        entries=tuple(entries),
        checkpoint=replace(note, signatures=signatures).format(),
        log_vkeys=tuple(vkey for vkey in log_vkeys if vkey in signed),
        witness_vkeys=tuple(vkey for vkey in witness_vkeys if vkey in signed),
        rules=dict(rules),
    )


def write_evidence(evidence: Evidence) -> bytes:
    """The zip file. Raises InvalidInput for rules that cannot be read, or too large a bundle."""
    return pack_zip(_files(evidence, _bundles(evidence)))


def verify_evidence(data: bytes, policy: TlogPolicy) -> VerifiedEvidence:
    """Check a bundle under the verifier's own keys of the log and the witnesses.

    Raises InvalidInput `malformed-encoding`, `message-too-large` for what is no bundle; NotAuthentic
    `checkpoint-wrong`, `not-witnessed`, `proof-wrong` (an entry is not in that log), `evidence-wrong` (a file is
    missing, too many, or not what the entries say).
    """
    files = unpack_zip(data)
    evidence = _read(files)
    checkpoint = policy.verify_checkpoint(evidence.checkpoint)
    _check_keys(evidence)
    for item in evidence.entries:
        proof = TlogProof(index=item.index, hashes=item.proof, checkpoint=evidence.checkpoint)
        proof.verify_under(item.entry, policy)
    entries = _check_exchange(evidence)
    bundles = _bundles(evidence)
    checked = evidence.version == __version__
    if not checked:
        evidence = replace(
            evidence, prose={name: _text(files, name) for name in _prose_names(bundles, evidence)}
        )
    wanted = _files(evidence, bundles)
    for name in sorted(wanted.keys() | files.keys()):
        if wanted.get(name) != files.get(name):
            raise _wrong("is not what the entries and rules in the bundle give", name)
    return VerifiedEvidence(
        exchange=str(next(iter(entries.values()))["exchange"]),
        entries=entries,
        checkpoint=checkpoint,
        rules=tuple(sorted(bundles)),
        version=evidence.version,
        prose_checked=checked,
    )


def _read(files: Mapping[str, bytes]) -> Evidence:
    """The parts from which a bundle is written again; what is left over shows then."""
    indexes = sorted(int(match[1]) for name in files if (match := _ENTRY.fullmatch(name)))
    if not indexes:
        raise _wrong("holds no entry of the log", "entries")
    checkpoint = _text(files, CHECKPOINT)
    entries = []
    for index in indexes:
        name = f"proofs/{index}.tlog-proof"
        proof = TlogProof.parse(_text(files, name))
        if proof.index != index or proof.checkpoint != checkpoint or proof.extra:
            raise _wrong("is for another entry or checkpoint than the bundle's", name)
        entries.append(ProvenEntry(index=index, entry=files[f"entries/{index}.json"], proof=proof.hashes))
    manifest = _parse(files, MANIFEST)
    version, digests = manifest.get("sluis"), manifest.get("rules")
    if not isinstance(version, str) or not _VERSION.fullmatch(version):
        raise _wrong("does not say which version made it", MANIFEST)
    if not isinstance(digests, list) or not all(
        isinstance(item, str) and _DIGEST.fullmatch(item) for item in digests
    ):
        raise _wrong("does not name the rules", MANIFEST)
    return Evidence(
        entries=tuple(entries),
        checkpoint=checkpoint,
        log_vkeys=parse_vkeys(_lines(files, LOG_KEYS), LOG_TYPES),
        witness_vkeys=parse_vkeys(_lines(files, WITNESS_KEYS), WITNESS_TYPES),
        rules={digest: _file(files, _rules_name(digest)) for digest in digests},
        version=version,
    )


def _check_keys(evidence: Evidence) -> None:
    """Every signature line is by a key in the bundle, every such key has one, and each holds."""
    keys = (*evidence.log_vkeys, *evidence.witness_vkeys)
    names = {vkey.name for vkey in evidence.witness_vkeys}
    verify_checkpoint(evidence.checkpoint, evidence.log_vkeys, evidence.witness_vkeys, len(names))
    note = Note.parse(evidence.checkpoint)
    lines = [line for vkey in keys for line in vkey.signatures_in(note)]
    if len(set(keys)) != len(keys) or len(lines) != len(keys) or set(lines) != set(note.signatures):
        raise _wrong("holds other keys than those that signed the checkpoint", "keys")


def _check_exchange(evidence: Evidence) -> dict[int, Mapping[str, Any]]:
    """The entries are of one exchange, whole as far back as they point, and their rules are there."""
    entries: dict[int, Mapping[str, Any]] = {}
    for item in evidence.entries:
        entry = parse_canonical(item.entry)
        name = f"entries/{item.index}.json"
        texts = (entry.get("exchange"), entry.get("policy", ""), entry.get("agreement", ""))
        if not all(isinstance(text, str) for text in texts) or not isinstance(entry.get("previous", 0), int):
            raise _wrong("is not of an exchange", name)
        if entries and entry["exchange"] != next(iter(entries.values()))["exchange"]:
            raise _wrong("is of another exchange", name)
        if "previous" in entry and entry["previous"] not in entries:
            raise _wrong(f"follows entry {entry['previous']}, which is missing", name)
        entries[item.index] = entry
    used = {entry["policy"] for entry in entries.values() if "policy" in entry}
    if used != evidence.rules.keys():
        raise _wrong("does not hold the rules that its entries name", "rules")
    return entries


def _bundles(evidence: Evidence) -> dict[str, Bundle]:
    bundles = {}
    for digest, archive in evidence.rules.items():
        try:
            bundle = read_bundle(unpack(archive))
        except SluisError:
            raise _wrong("cannot be read as rules", _rules_name(digest)) from None
        if bundle.digest != digest:
            raise _wrong("are other rules than their digest says", _rules_name(digest))
        bundles[digest] = bundle
    return bundles


def _files(evidence: Evidence, bundles: Mapping[str, Bundle]) -> dict[str, bytes]:
    """All files by name, the manifest over the others."""
    files: dict[str, bytes] = {
        CHECKPOINT: evidence.checkpoint.encode(),
        LOG_KEYS: "".join(f"{vkey}\n" for vkey in evidence.log_vkeys).encode(),
        WITNESS_KEYS: "".join(f"{vkey}\n" for vkey in evidence.witness_vkeys).encode(),
    }
    for item in evidence.entries:
        proof = TlogProof(index=item.index, hashes=item.proof, checkpoint=evidence.checkpoint)
        files[f"entries/{item.index}.json"] = item.entry
        files[f"proofs/{item.index}.tlog-proof"] = proof.format().encode()
    files |= {_rules_name(digest): archive for digest, archive in evidence.rules.items()}
    prose = evidence.prose if evidence.prose is not None else _prose(evidence, bundles)
    files |= {name: text.encode() for name, text in prose.items()}
    manifest = {
        "v": 1,
        "sluis": evidence.version,
        "entries": [item.index for item in evidence.entries],
        "rules": sorted(evidence.rules),
        "files": {name: hashlib.sha256(content).hexdigest() for name, content in files.items()},
    }
    return {**files, MANIFEST: canonical_json(manifest)}


def _prose(evidence: Evidence, bundles: Mapping[str, Bundle]) -> dict[str, str]:
    made = {HOW_TO: HOW_TO_VERIFY}
    for name, (digest, agreement) in _reading(evidence, bundles).items():
        made[name] = pages(bundles[digest], ())[f"{agreement}.md"]
    return made


def _prose_names(bundles: Mapping[str, Bundle], evidence: Evidence) -> list[str]:
    return [HOW_TO, *_reading(evidence, bundles)]


def _reading(evidence: Evidence, bundles: Mapping[str, Bundle]) -> dict[str, tuple[str, str]]:
    """The reading pages that are due: of each agreement under which an entry was decided."""
    due = {}
    for item in evidence.entries:
        entry = cast("dict[str, str]", json.loads(item.entry))
        digest, agreement = entry.get("policy", ""), entry.get("agreement", UNKNOWN)
        if digest in bundles and agreement in bundles[digest].agreements:
            due[f"reading/{digest.removeprefix('sha256:')[:16]}-{agreement}.md"] = (digest, agreement)
    return due


def _rules_name(digest: str) -> str:
    return f"rules/{digest.removeprefix('sha256:')}.zlib"


def _file(files: Mapping[str, bytes], name: str) -> bytes:
    if name not in files:
        raise _wrong("is missing", name)
    return files[name]


def _text(files: Mapping[str, bytes], name: str) -> str:
    try:
        return _file(files, name).decode("utf-8")
    except UnicodeDecodeError:
        raise InvalidInput("malformed-encoding", "the file is not UTF-8 text", where=name) from None


def _lines(files: Mapping[str, bytes], name: str) -> list[str]:
    return _text(files, name).splitlines()


def _parse(files: Mapping[str, bytes], name: str) -> dict[str, Any]:
    return parse_canonical(_file(files, name))


def _wrong(what: str, name: str) -> NotAuthentic:
    return NotAuthentic("evidence-wrong", f"the bundle does not hold: `{name}` {what}", where=name)
