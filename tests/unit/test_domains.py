# SPDX-License-Identifier: EUPL-1.2
"""Who may compute pseudonyms in whose domain: the recipient itself, and those who may send to it."""

from pathlib import Path

import pytest

from evaluator.domains import Domains
from sluis.errors import InvalidInput, NotFound, SluisError
from sluis.identifiers import Oin
from tests.actors import cast
from tests.world import AGREEMENT, bundle

CAST = cast()
ROLES = {actor.oin: actor.role for actor in CAST.registered}
DOMAINS = Domains(bundle=bundle(), roles=ROLES)
NLA, SNA, BODY, OTHER = CAST.nla.oin, CAST.sna.oin, CAST.body.oin, CAST.other_body.oin
OFFICER, STRANGER = CAST.officer.oin, CAST.stranger.oin


def outcome(caller: Oin, recipient: Oin, agreement: str = AGREEMENT) -> str:
    try:
        DOMAINS.authorise(caller, agreement, recipient)
    except SluisError as error:
        return error.code
    return ""


@pytest.mark.parametrize(
    ("caller", "recipient", "code"),
    [
        (NLA, SNA, ""),
        (SNA, SNA, ""),
        (SNA, BODY, ""),
        (SNA, OTHER, ""),
        (BODY, BODY, ""),
        (NLA, BODY, "not-your-domain"),
        (BODY, SNA, "not-your-domain"),
        (BODY, OTHER, "not-your-domain"),
        (NLA, NLA, "not-your-domain"),
        (SNA, NLA, "not-your-domain"),
        (OFFICER, SNA, "not-your-domain"),
        (OFFICER, OFFICER, "not-your-domain"),
        (CAST.evaluators[0].oin, SNA, "not-your-domain"),
        (NLA, STRANGER, "not-your-domain"),
        (SNA, STRANGER, "not-your-domain"),
        (STRANGER, SNA, "party-unknown"),
        (STRANGER, STRANGER, "party-unknown"),
    ],
)
def test_a_domain_is_open_to_its_recipient_and_those_who_may_send_to_it(
    caller: Oin, recipient: Oin, code: str
) -> None:
    assert outcome(caller, recipient) == code


def test_every_other_pair_of_parties_is_refused() -> None:
    allowed = {
        (caller, recipient) for caller in ROLES for recipient in ROLES if not outcome(caller, recipient)
    }
    assert allowed == {(NLA, SNA), (SNA, SNA), (SNA, BODY), (SNA, OTHER), (BODY, BODY), (OTHER, OTHER)}


def test_an_unknown_agreement_is_refused_and_the_general_one_opens_nothing() -> None:
    assert outcome(NLA, SNA, "waadi-14c") == "unknown-agreement"
    assert outcome(NLA, SNA, "00-algemeen") == "not-your-domain"


def test_the_domains_are_those_of_the_recipients() -> None:
    own = [domain for domain in DOMAINS.recipients() if domain[0] == AGREEMENT]
    assert own == [(AGREEMENT, SNA), (AGREEMENT, BODY), (AGREEMENT, OTHER)]


def test_the_list_of_parties_is_read_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "parties.toml"
    path.write_text("[parties]\n" + "".join(f'"{oin}" = "{role}"\n' for oin, role in ROLES.items()), "utf-8")
    assert Domains.load(bundle(), path) == DOMAINS


@pytest.mark.parametrize(
    "text",
    [
        "",
        "parties = 3",
        "[parties]\n123 = 'labour-inspectorate'",
        "[parties]\n'00000099000000001000' = 'labour_inspectorate'",
        "[parties]\n'00000099000000001000' = 3",
        "[parties]\n'00000099000000001000' = ''",
        "[parties",
        "[partis]\n",
    ],
)
def test_a_list_that_could_not_be_meant_so_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "parties.toml"
    path.write_text(text, "utf-8")
    with pytest.raises(InvalidInput) as caught:
        Domains.load(bundle(), path)
    assert caught.value.code == "malformed-config"


def test_a_list_that_is_not_there_or_not_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        Domains.load(bundle(), tmp_path / "missing.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff")
    with pytest.raises(InvalidInput):
        Domains.load(bundle(), tmp_path / "binary.toml")
