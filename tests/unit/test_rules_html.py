# SPDX-License-Identifier: EUPL-1.2
"""The reading version as HTML: nothing that a rule says becomes markup, a link elsewhere or a script."""

import re
from html.parser import HTMLParser

from broker.console.rules_html import rule_html
from tests.unit.decide_samples import BUNDLE

SCRIPT = "<script>alert(1)</script>"


class Tags(HTMLParser):
    """What stands in a piece of HTML."""

    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()
        self.attributes: set[str] = set()
        self.targets: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.targets |= {value or "" for name, value in attrs if name == "href"}


ALLOWED = {"p", "br", "strong", "code", "a", "ul", "ol", "li", "div", "small", "blockquote", "em", "h2", "h3"}
ALLOWED |= {"table", "caption", "thead", "tbody", "tr", "th", "td"}


def test_whatever_a_rule_says_is_text_on_its_page() -> None:
    hostile = (
        f"{SCRIPT} <img src=x onerror=alert(1)> [x](javascript:alert(1)) ![i](http://evil.example/i.png) "
        '<http://evil.example> `<b>` | <a id=\\"y\\"></a> <br/> &lt;script&gt; **x**'
    )
    agreement = BUNDLE.agreements["waadi-14b"]
    for rule in agreement.rules:
        changed = rule.model_copy(update={"explanation": hostile, "title": hostile})
        html = rule_html(changed, agreement, BUNDLE, level=2, address=lambda path: path)
        tags = Tags()
        tags.feed(html)
        assert tags.found <= ALLOWED
        assert not tags.attributes & {"onerror", "onclick", "style", "src", "id"}
        assert all(
            target.startswith(
                (
                    *("/regels/", "/afspraken/", "https://wetten.overheid.nl/"),
                    *("http://data.europa.eu/", "https://eur-lex.europa.eu/"),
                )
            )
            for target in tags.targets
        ), tags.targets
        assert SCRIPT not in html


def test_every_rule_has_its_reading_version_with_headed_tables() -> None:
    for agreement in BUNDLE.agreements.values():
        for rule in agreement.rules:
            html = rule_html(rule, agreement, BUNDLE, level=2, address=lambda path: path)
            assert "#main" not in html
            assert html.count("<table>") == html.count("<caption>") >= 1
            assert "<th></th>" not in html
            assert not re.search(r"<th>", html)
