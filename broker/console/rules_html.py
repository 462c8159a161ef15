# SPDX-License-Identifier: EUPL-1.2
"""The reading version of a rule as HTML, from the one Markdown that `sluis policy` writes (CommonMark, markdown-it).

Whoever writes rules chooses their texts, and a proposed bundle may come from anybody. So no HTML passes but the three
marks that our own reading version makes (`<br>`, `<sub>`, the anchor of a rule), images are off, and a link leads to a
page of this console or to a published text of the law.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markupsafe import Markup

from sluis.policy.bundle import Bundle
from sluis.policy.reading_rules import RuleText
from sluis.policy.rules import Agreement, Rule

_RULE = re.compile(r"(?:[a-z0-9-]+\.md)?#([a-z0-9-]+)")
_PAGE = re.compile(r"([a-z0-9-]+)\.md")
_LAW = re.compile(r"https?://(?:wetten\.overheid\.nl|data\.europa\.eu|eur-lex\.europa\.eu)/\S*")
_ANCHOR = re.compile(r'<a id="[a-z0-9-]+"></a>\s*')
_MARKS = {"<br>": "<br>", "<sub>": "<small>", "</sub>": "</small>"}
_HEADING = 2  # the anchor and the heading, which the page has itself


class _Renderer(RendererHTML):
    def html_inline(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        content = tokens[idx].content
        return _MARKS.get(content) or escapeHtml(content)

    def html_block(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        content = tokens[idx].content
        return "" if _ANCHOR.fullmatch(content) else f"<p>{escapeHtml(content)}</p>"


def rule_html(
    rule: Rule, agreement: Agreement, bundle: Bundle, *, level: int, address: Callable[[str], str]
) -> Markup:
    """Everything about a rule below its own heading; its parts have headings of `level`."""
    blocks = RuleText(bundle).section(rule, agreement)[_HEADING:]
    return _html("\n\n".join(filter(None, blocks)), level=level, address=address, caption=rule.title)


def _html(markdown: str, *, level: int, address: Callable[[str], str], caption: str) -> Markup:
    parser = _parser()
    tokens = list(_shaped(parser.parse(markdown), level, caption))
    for token in tokens:
        for child in token.children or ():
            if child.type == "link_open":
                _lead(child, address)
    return Markup(parser.renderer.render(tokens, parser.options, {}))  # noqa: S704  # see the module's text


@cache
def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": True}, renderer_cls=_Renderer)
    return parser.enable("table").disable(["image", "autolink", "fence", "code", "lheading"])


def _lead(link: Token, address: Callable[[str], str]) -> None:
    """Let a link of the reading version lead to the console's own page."""
    target = str(link.attrs.get("href", ""))
    if found := _RULE.fullmatch(target):
        link.attrSet("href", address(f"/regels/{found[1]}"))
    elif found := _PAGE.fullmatch(target):
        link.attrSet("href", address("/afspraken" if found[1] == "index" else f"/afspraken/{found[1]}"))
    elif _LAW.fullmatch(target):
        link.attrSet("rel", "external noreferrer")
    else:
        link.attrSet("href", "#main")


def _shaped(tokens: Sequence[Token], level: int, caption: str) -> Iterator[Token]:
    """Headings at their level, and tables with a caption and headings that say what they head."""
    at = 0
    while at < len(tokens):
        token = tokens[at]
        if token.type == "heading_open":
            caption = tokens[at + 1].content
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{max(level, int(token.tag[1:]) - 3 + level)}"
        if token.type == "table_open":
            end = next(n for n in range(at, len(tokens)) if tokens[n].type == "table_close")
            yield from _table(tokens[at : end + 1], caption)
            at = end
        else:
            yield token
        at += 1


def _table(tokens: Sequence[Token], caption: str) -> Iterator[Token]:
    titles = [tokens[n + 1].content.strip() for n in range(len(tokens)) if tokens[n].type == "th_open"]
    yield _token(
        "scroll_open", "div", 1, {"class": "scroll", "role": "group", "tabindex": "0", "aria-label": caption}
    )
    yield tokens[0]
    yield _token("caption_open", "caption", 1)
    yield Token("inline", "", 0, content=caption, children=[Token("text", "", 0, content=caption)])
    yield _token("caption_close", "caption", -1)
    yield from _rows(tokens[1:-1], titles)
    yield tokens[-1]
    yield _token("scroll_close", "div", -1)


def _rows(tokens: Sequence[Token], titles: Sequence[str]) -> Iterator[Token]:
    headless = not any(titles)
    within_head, place = False, 0
    for token in tokens:
        within_head = within_head or token.type == "thead_open"
        if token.type == "tr_open":
            place = 0
        if token.type == "th_open":
            token.attrSet("scope", "col")
        elif token.type == "td_open" and headless and place == 0:
            token.tag = "th"
            token.attrSet("scope", "row")
        elif token.type == "td_open" and not headless:
            token.attrSet("data-label", titles[place])
        elif token.type == "td_close":
            token.tag = "th" if headless and place == 0 else "td"
            place += 1
        if not (within_head and headless):
            yield token
        within_head = within_head and token.type != "thead_close"


def _token(kind: str, tag: str, nesting: int, attrs: dict[str, str | int | float] | None = None) -> Token:
    token = Token(kind, tag, nesting, attrs=attrs or {})  # type: ignore[arg-type]  # nesting is -1, 0 or 1
    token.block = True
    return token
