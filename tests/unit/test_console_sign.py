# SPDX-License-Identifier: EUPL-1.2
"""static/sign.js, run by Node, makes byte for byte the statement that sluis/policy/approval.py makes."""

import json
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from broker.console.site import STATIC
from sluis.policy.approval import Act, PolicyStatement
from sluis.signing import SigningKey

REASONS = (
    "een jaar is genoeg",
    'met "aanhalingstekens" en \\ en / en <b>',
    "één € en 😀 en ‎ niet".replace("‎", ""),
    "ﬁ combinatie é",
    "x" * 300,
)
SCRIPT = """
import { readFileSync } from "node:fs";
import { seedOf, signed } from "./sign.mjs";
const found = [];
for (const { key, statement } of JSON.parse(readFileSync(0, "utf8"))) {
  const seed = seedOf(key);
  found.push(seed && await signed(statement, seed));
}
process.stdout.write(JSON.stringify(found));
"""


def run_node(folder: Path, asked: list[dict[str, object]]) -> list[str | None]:
    node = shutil.which("node")
    assert node, "Node is due: apt-get install nodejs"
    shutil.copy(STATIC / "sign.js", folder / "sign.mjs")
    (folder / "run.mjs").write_text(SCRIPT, encoding="utf-8")
    done = subprocess.run(
        [node, "run.mjs"], input=json.dumps(asked), capture_output=True, text=True, cwd=folder, check=False
    )
    assert done.returncode == 0, done.stderr
    found: list[str | None] = json.loads(done.stdout)
    return found


def test_the_browser_signs_what_the_kit_signs(tmp_path: Path) -> None:
    key = SigningKey.from_bytes(bytes(range(32)))
    made = [
        PolicyStatement(
            act=act,
            from_digest=f"sha256:{'1a' * 32}",
            to_digest=f"sha256:{'2b' * 32}",
            officer="fg-1",
            reason=reason,
            at=datetime(2026, 11, 25, 9, 30, 7, tzinfo=UTC),
        ).signed(key)
        for act in Act
        for reason in REASONS
    ]
    asked: list[dict[str, object]] = []
    for statement in made:
        members = json.loads(statement.encode())
        del members["v"], members["signature"]
        asked.append({"key": f"{bytes(range(32)).hex()}\n", "statement": members})
    found = run_node(tmp_path, asked)
    assert [text and text.encode() for text in found] == [statement.encode() for statement in made]


@pytest.mark.parametrize("key", ["", "00" * 31, "zz" * 32, "00" * 33, "AA" * 32, "00" * 32 + "\n\n"])
def test_what_is_no_key_file_signs_nothing(tmp_path: Path, key: str) -> None:
    assert run_node(tmp_path, [{"key": key, "statement": {}}]) == [None]


def test_the_key_is_never_part_of_a_form() -> None:
    page = (STATIC.parent / "templates" / "pages" / "proposal.html").read_text("utf-8")
    [panel] = [part.split("</div>")[0] for part in page.split('<div id="sign"')[1:]]
    assert "<form" not in panel
    assert " name=" not in panel
    script = (STATIC / "sign.js").read_text("utf-8")
    for call in ("fetch(", "XMLHttpRequest", "sendBeacon", "WebSocket", "localStorage"):
        assert call not in script
