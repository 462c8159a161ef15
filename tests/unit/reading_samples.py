# SPDX-License-Identifier: EUPL-1.2
"""An agreement that uses everything a rule can hold, over the installed catalogue with words added."""

from sluis.policy.bundle import Bundle, read_bundle
from sluis.policy.cases import Case, read_cases
from sluis.policy.yaml_strict import load
from tests.rule_text import extended, finished
from tests.unit.decide_samples import FILES

WORDS = {
    "catalog/facts.yaml": """
  proef_gate:
    dutch: de persoon wordt niet onevenredig geschaad
    english: the person is not harmed disproportionately
    source: officer
    functions: [privacy-officer]
    reasons:
      PROEF_NEEDED: {dutch: het is nodig voor het toezicht, english: it is needed}
      PROEF_SMALL: {dutch: de inbreuk is klein, english: it is small}
    valid_days: 7
    persons: 2
  proef_urgent:
    dutch: er is haast
    english: there is haste
    source: sender
    functions: [privacy-officer]
    reasons:
      PROEF_DANGER: {dutch: er is gevaar, english: there is danger}
    valid_days: 1
  proef_counter:
    dutch: hoeveel personen vandaag zijn gemeld
    english: how many persons were reported today
    source: counter
    per: sender-and-recipient
    window: day
""",
    "catalog/claims.yaml": """
  proef_until:
    dutch: de dag waarop het dossier vervalt
    english: the day on which the file lapses
    type: date
    asserted_by: sender
  proef_status:
    dutch: de stand van het bezwaar
    english: the state of the appeal
    type: choice
    values: [geen, open]
    asserted_by: sender
""",
}
PARTNERSHIP = """
  partnership: {dutch: het samenwerkingsverband, english: the partnership, type: partnership, asserted_by: sender}
"""
AGREEMENT = """
id: proef
title: proef met alles
explanation: Deze afspraak bestaat alleen om te lezen.
rules:
  - id: proef-permit
    title: alles sturen wat er is
    exchanges: [E10, E11]
    effect: permit
    status: assumed
    valid_from: 2026-07-01
    valid_until: 2026-12-31
    operations: [push, release]
    sender_roles: [labour-inspectorate]
    recipient_roles: [labour-inspectorate]
    kinds: [FINE_IMPOSED]
    purposes: [CERTIFICAATBEOORDELING]
    fields: [establishment_number, address, worker_name, bsn, worker_health, conviction]
    conditions:
      - {claim: provision, one_of: [WML 13, WML 7], dutch: het is een van deze bepalingen,
         otherwise: PROVISION_NOT_LISTED}
      - {claim: proef_status, one_of: [geen], dutch: Er loopt geen bezwaar., otherwise: LOOKBACK}
      - {claim: decided_on, not_older_than_years: 3, dutch: De boete is van de laatste jaren., otherwise: LOOKBACK}
      - {claim: proef_until, not_passed: "true", dutch: Het dossier bestaat nog., otherwise: LOOKBACK}
      - {claim: decided_on, working_days_passed: 10, dutch: De termijn is voorbij., otherwise: LOOKBACK}
      - {fact: certificate_valid, dutch: Er is een certificaat., otherwise: NO_CERTIFICATE}
      - {fact: proef_gate, dutch: De belangen zijn gewogen., otherwise: NO_CERTIFICATE}
      - {fact: proef_urgent, dutch: Er is haast bij., otherwise: NO_CERTIFICATE}
      - {same_party: "true", dutch: Het blijft binnenshuis., otherwise: NOT_OWN_DOMAIN}
      - {delivery: on_match, dutch: Pas na een vraag., otherwise: WRONG_DELIVERY}
      - {partnership: [lsi], dutch: Beide doen mee aan het verband., otherwise: NOT_OWN_DOMAIN}
      - {counter: proef_counter, at_most: 50, dutch: Niet te veel op een dag., otherwise: LOOKBACK}
      - {subjects_at_most: 1, dutch: Over een tegelijk., otherwise: LOOKBACK}
    obligations:
      retention: P1Y
      retention_after_loss: P30D
      handling: H4
      notice: must-inform
      notice_within: P1M
      delay_grounds: [41(1)(d), 41(1)(h)]
    legal_basis:
      - {gdpr: 9(2)(g), law: UAVG, article: "22", paragraph: "1",
         juriconnect: "jci1.3:c:BWBR0040940&artikel=22&lid=1&g=2018-05-25&z=2018-05-25", explanation: Om te lezen.}
      - {gdpr: "10", law: UAVG, article: "31",
         juriconnect: "jci1.3:c:BWBR0040940&artikel=31&g=2018-05-25&z=2018-05-25", explanation: Om te lezen}
    explanation: Een toestemming met alle voorwaarden.
  - id: proef-prohibit
    title: geen boete zonder haast
    effect: prohibit
    status: in-force
    valid_from: 2026-07-01
    operations: [push, question, release, register]
    sender_sectors: [public]
    recipient_sectors: [public]
    kinds: [FINE_IMPOSED]
    conditions:
      - {without_fact: proef_urgent, dutch: Er is geen haast., otherwise: LOOKBACK}
    code: LOOKBACK
    legal_basis:
      - {gdpr: 6(3), law: UAVG, article: "22", paragraph: "1",
         juriconnect: "jci1.3:c:BWBR0040940&artikel=22&lid=1&g=2018-05-25&z=2018-05-25", explanation: Om te lezen.}
    explanation: Een verbod dat vervalt als iemand haast verklaart.
  - id: proef-fields
    title: geen namen
    effect: prohibit
    status: assumed
    valid_from: 2027-01-01
    operations: [push]
    fields: [worker_name]
    categories: [criminal]
    code: CRIMINAL_NO_BASIS
    legal_basis:
      - {gdpr: 6(3), law: UAVG, article: "31",
         juriconnect: "jci1.3:c:BWBR0040940&artikel=31&g=2018-05-25&z=2018-05-25", explanation: Om te lezen.}
    explanation: Een verbod van enkele velden, dat begint als de toestemming voorbij is.
  - id: proef-draft
    title: vragen, later
    effect: permit
    status: draft
    valid_from: 2027-01-01
    operations: [question]
    sender_roles: [certification-body]
    recipient_roles: [labour-inspectorate]
    kinds: [CERTIFICATE_STATUS]
    purposes: [CERTIFICAATBEOORDELING]
    obligations:
      {retention: P1D, handling: H2, notice: must-not-inform, delay_grounds: [41(1)(i)]}
    legal_basis:
      - {gdpr: 6(1)(e), law: UAVG, article: "31",
         juriconnect: "jci1.3:c:BWBR0040940&artikel=31&g=2018-05-25&z=2018-05-25", explanation: Om te lezen.}
    explanation: Een ontwerp.
"""
CASES = r"""
afspraak: proef
standaard: {datum: 2026-11-23, handeling: push, van: labour-inspectorate, naar: labour-inspectorate,
  zelfde_partij: ja, aflevering: on_match, soort: FINE_IMPOSED, doel: CERTIFICAATBEOORDELING,
  velden: [establishment_number], bewezen: [certificate_valid], verklaard: [proef_gate, proef_urgent],
  beweringen: {provision: WML 7, proef_status: geen, decided_on: 2026-03-02, proef_until: 2026-11-23, partnership: lsi}}
zaken:
  - {naam: E10 Alles klopt, besluit: toegestaan, regel: proef-permit,
     plichten: {notice: must-inform, notice_within: P1M, delay_grounds: "41(1)(d),41(1)(h)"}}
  - {naam: De velden, velden: [bsn, fine_amount], besluit: toegestaan, reden: FIELD_NOT_LISTED,
     achtergehouden: {fine_amount: FIELD_NOT_LISTED}}
  - {naam: Nog 49 ervoor, geteld: {proef_counter: 49}, besluit: toegestaan}
  - {naam: Nog 50 ervoor, geteld: {proef_counter: 50}, besluit: geweigerd, reden: LOOKBACK}
  - {naam: Twee tegelijk, onderwerpen: 2, besluit: geweigerd, reden: LOOKBACK}
  - {naam: Niemand woog de belangen, verklaard: [proef_urgent], besluit: geweigerd, reden: NO_CERTIFICATE}
  - {naam: Een woog twee keer, besluit: geweigerd, reden: NO_CERTIFICATE, verklaard: [proef_urgent], verklaringen:
     {proef_gate: "fg-1@AFZENDER;privacy-officer;2026-11-23T09:00Z;PROEF_NEEDED\
       ,fg-1@AFZENDER;privacy-officer;2026-11-23T09:10Z;PROEF_SMALL"}}
  - {naam: Twee wogen, besluit: toegestaan, verklaard: [proef_urgent], verklaringen:
     {proef_gate: "fg-1@AFZENDER;privacy-officer;2026-11-23T09:00Z;PROEF_NEEDED\
       ,fg-2@ONTVANGER;privacy-officer;2026-11-23T09:10Z;PROEF_SMALL"}}
  - {naam: Niemand verklaart haast, verklaard: [proef_gate], besluit: geweigerd, reden: LOOKBACK, regel: proef-prohibit}
  - {naam: De afzender zegt zelf dat er haast is, verklaard: [proef_gate], beweerd_door_afzender: [proef_urgent],
     besluit: geweigerd, reden: LOOKBACK, regel: proef-prohibit}
"""


def wide() -> tuple[Bundle, tuple[Case, ...]]:
    """The bundle and its cases."""
    files = {name: extended(data, WORDS.get(name, "")) for name, data in FILES.items()}
    if b"\n  partnership:" not in files["catalog/claims.yaml"]:
        files["catalog/claims.yaml"] = extended(files["catalog/claims.yaml"], PARTNERSHIP)
    bundle = read_bundle({**files, "agreements/proef.yaml": finished(AGREEMENT)})
    return bundle, read_cases(load(finished(CASES), "cases/proef.yaml"), bundle)
