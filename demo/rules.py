# SPDX-License-Identifier: EUPL-1.2
"""The rules that the demo plays under: those that come with Sluis, but for one term.

A copy that was called back is to be answered for within seconds instead of seven days, so that in a demo somebody can
be late. The broker's settings name the folder.
"""

from pathlib import Path

from demo.stage import Stage
from sluis.policy.bundle import default_directory, read_files

FILE = "catalog/follow_ups.yaml"
SHORT_SECONDS = 10
TERM, SHORT = "fulfil: P7D", f"fulfil: PT{SHORT_SECONDS}S"


def write_rules(folder: Path) -> Path:
    """Write them; returns the folder."""
    files = read_files(default_directory())
    text = files[FILE].decode()
    if text.count(TERM) != 1:
        raise ValueError(f"`{TERM}` does not stand in {FILE} once")
    write_files(folder, {**files, FILE: text.replace(TERM, SHORT).encode()})
    return folder


def write_files(folder: Path, files: dict[str, bytes]) -> None:
    """Write files by their names below a folder."""
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def rules_of(stage: Stage) -> dict[str, bytes]:
    """The files of the rules with which a stage's broker began."""
    return read_files(stage.rules or default_directory())
