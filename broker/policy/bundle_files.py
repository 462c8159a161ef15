# SPDX-License-Identifier: EUPL-1.2
"""Rules as an officer brings them: a zip of the folder, or the archive that `sluis policy` reads and the broker keeps.

    waadi/agreements/waadi-14b.yaml   one folder around all of it may be there, and is taken off
    waadi/catalog/claims.yaml
    waadi/cases/waadi-14b.yaml        examples, run before anything is compared
    waadi/LICENSE                     whatever is no rule, word or case is left aside

Nothing is written to a disk, and nothing unfolds beyond the limit. Rules load whole or not at all; cases that do not
come out as written are told by name.
"""

import io
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

from broker.policy.cases import run_cases
from sluis.errors import InvalidInput
from sluis.policy.archive import pack, unpack
from sluis.policy.bundle import MAX_FILES, Bundle, read_bundle
from sluis.policy.cases import Case, read_cases
from sluis.policy.yaml_strict import MAX_BYTES, load

MAX_UPLOAD = 4 << 20
MAX_UNFOLDED = 32 << 20
_FOLDERS = ("agreements", "catalog", "cases")


@dataclass(frozen=True, slots=True, kw_only=True)
class Brought:
    """Rules that loaded whole. `failed` names the cases that do not come out as written, and how they differ."""

    bundle: Bundle
    content: bytes
    cases: int
    failed: tuple[str, ...]


def read_brought(data: bytes) -> Brought:
    """Read, check and try rules. Raises InvalidInput `malformed-rule` with file, line and term."""
    found = _unzip(data) if data.startswith(b"PK") else _unpack(data)
    files = {name: text for name, text in found.items() if not name.startswith("cases/")}
    bundle = read_bundle(files)
    cases: list[Case] = []
    for name, text in sorted(found.items()):
        if name.startswith("cases/"):
            cases += read_cases(load(text, name), bundle)
    outcomes = run_cases(cases, bundle)
    failed = tuple(
        f"{outcome.case.where} {outcome.case.name}: {'; '.join(outcome.differences)}"
        for outcome in outcomes
        if outcome.differences
    )
    return Brought(bundle=bundle, content=pack(files), cases=len(cases), failed=failed)


def _unpack(data: bytes) -> Mapping[str, bytes]:
    files = unpack(data)
    if len(files) > MAX_FILES or any(name.partition("/")[0] not in _FOLDERS for name in files):
        raise InvalidInput("malformed-rule", "the archive holds a file that is no rule, word or case")
    return files


def _unzip(data: bytes) -> Mapping[str, bytes]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            items = [item for item in archive.infolist() if not item.is_dir()]
            names = _rule_names([item.filename for item in items])
            if sum(item.file_size for item in items) > MAX_UNFOLDED or len(names) > MAX_FILES:
                raise InvalidInput("malformed-rule", "the zip file holds too many files or bytes")
            return {name: _content(archive, given, name) for given, name in names.items()}
    except (zipfile.BadZipFile, zlib.error, ValueError, OSError, EOFError, NotImplementedError, RuntimeError):
        raise InvalidInput("malformed-rule", "not a zip file, or a damaged one") from None


def _content(archive: zipfile.ZipFile, given: str, name: str) -> bytes:
    """A file up to the limit of a rule file; one byte over it, so that the reader refuses it."""
    with archive.open(given) as stream:
        return stream.read(MAX_BYTES + 1)


def _rule_names(given: list[str]) -> dict[str, str]:
    """The rule files by the name in the zip. Raises InvalidInput for two files of one name."""
    names: dict[str, str] = {}
    for path in given:
        steps = path.split("/")
        around = len(steps) - 2
        if around not in (0, 1) or steps[around] not in _FOLDERS or not steps[-1].endswith(".yaml"):
            continue
        if steps[-1].startswith(".") or ".." in steps:
            continue
        names[path] = "/".join(steps[around:])
    if len(set(names.values())) != len(names) or len(set(given)) != len(given):
        raise InvalidInput("malformed-rule", "a file stands in the zip twice")
    return names
