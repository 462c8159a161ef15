# SPDX-License-Identifier: EUPL-1.2
"""The names that Sluis gives to its own things in other standards (docs/standards.md).

    NAMESPACE + "activities/waadi-14b"        an agreement, as a processing activity (LDV, NLGov AuthZEN)
    NAMESPACE + "rules/register-own-..."      a rule
    NAMESPACE + "terms/..."                   a term of the ODRL profile

They are names and need not lead to a page. Parties bear their OIN, as in Digikoppeling: `urn:osb:oin:0000...`.
"""

NAMESPACE = "https://github.com/sluis-nl/sluis/ns/1/"
PROFILE = NAMESPACE + "odrl"
TERMS = NAMESPACE + "terms/"

_ACTIVITIES = NAMESPACE + "activities/"
_RULES = NAMESPACE + "rules/"


def activity_iri(agreement: str) -> str:
    """The processing activity that an agreement describes."""
    return _ACTIVITIES + agreement


def rule_iri(rule_id: str) -> str:
    """A rule."""
    return _RULES + rule_id


def agreement_of(iri: str) -> str | None:
    """The agreement in an IRI made by `activity_iri`; None for any other."""
    return iri.removeprefix(_ACTIVITIES) if iri.startswith(_ACTIVITIES) else None


def rule_of(iri: str) -> str | None:
    """The rule in an IRI made by `rule_iri`; None for any other."""
    return iri.removeprefix(_RULES) if iri.startswith(_RULES) else None


def party_iri(oin: str) -> str:
    """A party."""
    return f"urn:osb:oin:{oin}"
