# SPDX-License-Identifier: EUPL-1.2
"""The theme: in the dark only colours differ, and every colour has a name.

The browser tests rest on it: what is not about colour they look at in the light alone.
"""

import re

from broker.console.site import STATIC

CSS = re.sub(r"/\*.*?\*/", "", (STATIC / "console.css").read_text("utf-8"), flags=re.DOTALL)
SCHEME = "@media (prefers-color-scheme:"
COLOUR = re.compile(r"#[0-9a-f]{6}")
NAMED = re.compile(r"(--[a-z0-9-]+): ([^;]+);")


def dark_blocks() -> list[str]:
    """What stands in each block for the dark, by its braces."""
    found = []
    for part in CSS.split(SCHEME)[1:]:
        depth, start = 0, part.index("{")
        for at, char in enumerate(part[start:], start):
            depth += {"{": 1, "}": -1}.get(char, 0)
            if depth == 0:
                found.append(part[start + 1 : at].strip())
                break
    return found


def test_in_the_dark_only_named_colours_differ() -> None:
    blocks = dark_blocks()
    assert len(blocks) == CSS.count("prefers-color-scheme") > 0
    light = dict(NAMED.findall(CSS.split(SCHEME)[0]) + NAMED.findall("".join(CSS.split(SCHEME)[1:])))
    for block in blocks:
        rule = re.fullmatch(r":root \{(.*)\}", block, flags=re.DOTALL)
        assert rule, block
        names = NAMED.findall(rule[1])
        assert (
            "".join(f"{name}: {value};" for name, value in names)
            == re.sub(r"\n\s*| (?=--)", "", rule[1]).strip()
        )
        assert all(COLOUR.fullmatch(value) for _, value in names), names
        assert {name for name, _ in names} <= light.keys()


def test_a_colour_stands_in_the_theme_under_a_name_alone() -> None:
    without_names = re.sub(r":root \{.*?\}", "", CSS, flags=re.DOTALL)
    assert re.findall(r"#[0-9a-fA-F]{3,8}\b(?=[^{}]*\})", without_names) == ["#000"] * without_names.count(
        "#000"
    )
