# SPDX-License-Identifier: EUPL-1.2
"""Every error of Sluis, by who must act.

    SluisError
    ├── InvalidInput      the caller: mend the input and try again
    ├── NotAuthentic      a signature, proof, certificate or ciphertext does not hold
    ├── NotPermitted      the caller may not do this (a denied exchange is a Decision, not an error)
    ├── Conflict          it contradicts what is already there
    ├── NotFound          it is not there, or not for this caller
    ├── Unavailable       try again later; nothing was done
    └── Defect            our mistake; report it

Each carries a stable kebab-case code from `CODES`, with an English and a Dutch sentence.
Messages never carry a value from a signal.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CodeText:
    """What a code means, in both languages, and its gRPC status and HTTP status."""

    grpc: str
    http: int
    english: str
    dutch: str


class SluisError(Exception):
    """Root of all errors. `code` is stable; `message` is one lowercase sentence for a person."""

    def __init__(self, code: str, message: str = "", *, where: str = "") -> None:
        if code not in CODES:
            message, code = f"unlisted error code `{code}`: {message}", "defect"
        self.code = code
        self.message = message or CODES[code].english
        self.where = where
        super().__init__(f"{self.code}: {self.message}" + (f" ({where})" if where else ""))


class InvalidInput(SluisError):
    """The input is wrong; the caller mends it."""


class NotAuthentic(SluisError):
    """A signature, proof, certificate or ciphertext does not hold."""


class NotPermitted(SluisError):
    """The caller may not make this call."""


class Conflict(SluisError):
    """It contradicts what is already there."""


class NotFound(SluisError):
    """It is not there, or not for this caller."""


class Unavailable(SluisError):
    """Nothing was done; try again later."""


class Defect(SluisError):
    """A mistake in Sluis itself."""


_INVALID = ("INVALID_ARGUMENT", 400)
_UNAUTHENTIC = ("UNAUTHENTICATED", 401)
_FORBIDDEN = ("PERMISSION_DENIED", 403)
_CONFLICT = ("ALREADY_EXISTS", 409)
_STATE = ("FAILED_PRECONDITION", 409)
_MISSING = ("NOT_FOUND", 404)
_BUSY = ("UNAVAILABLE", 503)
_SPENT = ("RESOURCE_EXHAUSTED", 429)
_DEFECT = ("INTERNAL", 500)

# fmt: off
CODES: dict[str, CodeText] = {
    # rows and files
    "column-missing": CodeText(*_INVALID, "a required column or value is missing", "een verplichte kolom of waarde ontbreekt"),
    "identifier-format": CodeText(*_INVALID, "the identifier has the wrong form", "het nummer heeft niet de juiste vorm"),
    "identifier-check": CodeText(*_INVALID, "the identifier fails its check digit", "het nummer voldoet niet aan de controleproef"),
    "person-name": CodeText(*_INVALID, "a name needs a letter, and at most 100 characters", "een naam heeft een letter nodig, en hoogstens 100 tekens"),
    "statement-format": CodeText(*_INVALID, "a statement must be person@oin;function;time;REASON", "een verklaring moet persoon@oin;functie;moment;REDEN zijn"),
    "aliases-not-due": CodeText(*_INVALID, "only a signal about a person without a number, deposited until asked for, has further pseudonyms", "alleen een signaal over een persoon zonder nummer, dat klaarligt tot ernaar wordt gevraagd, heeft verdere pseudoniemen"),
    "person-birth-date": CodeText(*_INVALID, "a date of birth must be YYYY-MM-DD, with 00 for what is unknown", "een geboortedatum moet JJJJ-MM-DD zijn, met 00 voor wat onbekend is"),
    "date-format": CodeText(*_INVALID, "a date must be YYYY-MM-DD", "een datum moet JJJJ-MM-DD zijn"),
    "date-order": CodeText(*_INVALID, "the dates are in the wrong order", "de datums staan in de verkeerde volgorde"),
    "date-future": CodeText(*_INVALID, "the date lies in the future", "de datum ligt in de toekomst"),
    "number-format": CodeText(*_INVALID, "a whole number from 1 is due", "een geheel getal vanaf 1 is vereist"),
    "unknown-value": CodeText(*_INVALID, "the value is not in the list", "de waarde staat niet op de lijst"),
    "hidden-identifier": CodeText(*_INVALID, "a free text contains what looks like a citizen service number", "een vrije tekst bevat een getal dat op een BSN lijkt"),
    "row-shape": CodeText(*_INVALID, "the row has a different number of columns than the header", "de regel heeft een ander aantal kolommen dan de kop"),
    "file-empty": CodeText(*_INVALID, "the file is empty", "het bestand is leeg"),
    "file-encoding": CodeText(*_INVALID, "the file is not UTF-8 text", "het bestand is geen UTF-8-tekst"),
    "file-not-csv": CodeText(*_INVALID, "the file is not a semicolon-separated table", "het bestand is geen tabel met puntkomma's"),
    "file-not-found": CodeText(*_MISSING, "the file is not there or cannot be read", "het bestand is er niet of is niet leesbaar"),
    # messages
    "malformed-encoding": CodeText(*_INVALID, "the bytes are not in canonical form", "de bytes hebben niet de canonieke vorm"),
    "malformed-request": CodeText(*_INVALID, "a field of the request is missing or wrong", "een veld van het verzoek ontbreekt of klopt niet"),
    "malformed-element": CodeText(*_INVALID, "not a valid, non-identity ristretto255 element", "geen geldig ristretto255-element"),
    "malformed-rule": CodeText(*_INVALID, "a rule or catalogue file is wrong", "een regel- of catalogusbestand klopt niet"),
    "malformed-config": CodeText(*_INVALID, "the configuration is wrong", "de configuratie klopt niet"),
    "batch-too-large": CodeText(*_INVALID, "too many items in one batch", "te veel onderdelen in een keer"),
    "message-too-large": CodeText(*_SPENT, "the message is over the size limit", "het bericht is te groot"),
    "unknown-agreement": CodeText(*_INVALID, "the agreement is not in the rules", "de afspraak staat niet in de regels"),
    "unknown-epoch": CodeText(*_INVALID, "the epoch is not live", "het tijdvak is niet geldig"),
    "unknown-digest": CodeText(*_INVALID, "this caller was given no such digest of this domain", "deze vrager kreeg geen dergelijk overzicht van dit domein"),
    "epoch-closed": CodeText(*_STATE, "nothing new is taken in this epoch; seal it in the current one", "in dit tijdvak wordt niets nieuws aangenomen; verzegel het in het huidige"),
    "epoch-exists": CodeText(*_CONFLICT, "an epoch of this name was announced before", "een tijdvak met deze naam is al aangekondigd"),
    "epoch-not-begun": CodeText(*_STATE, "the epoch has not begun yet", "het tijdvak is nog niet begonnen"),
    "signal-expired": CodeText(*_INVALID, "the signal is past its expiry", "het signaal is verlopen"),
    "clock-skew": CodeText(*_INVALID, "the time in the signal lies too far from now", "de tijd in het signaal ligt te ver van nu"),
    # follow-ups
    "unknown-code": CodeText(*_INVALID, "the catalogue has no such code for this follow-up, or one that is due is missing", "de catalogus kent deze code niet voor dit vervolgbericht, of een verplichte code ontbreekt"),
    "not-the-sender": CodeText(*_FORBIDDEN, "the caller did not send this signal", "de vrager heeft dit signaal niet verstuurd"),
    "not-a-holder": CodeText(*_FORBIDDEN, "the caller never received this signal", "de vrager heeft dit signaal nooit ontvangen"),
    "not-asked": CodeText(*_MISSING, "this question was never asked about this signal", "deze vraag is over dit signaal nooit gesteld"),
    "not-demanded": CodeText(*_MISSING, "this was never asked of the caller about this signal", "dit is de vrager over dit signaal nooit gevraagd"),
    "follow-up-exists": CodeText(*_CONFLICT, "a follow-up with this id exists", "er is al een vervolgbericht met dit kenmerk"),
    "already-done": CodeText(*_CONFLICT, "this was done before, and the first time counts", "dit is al eerder gedaan; de eerste keer telt"),
    "contradicts-earlier": CodeText(*_CONFLICT, "it contradicts what the sender said of this signal before", "dit spreekt tegen wat de afzender eerder over dit signaal heeft gezegd"),
    "signal-withdrawn": CodeText(*_STATE, "its sender took this signal back, so it is not passed on", "de afzender heeft dit signaal teruggenomen; het wordt niet doorgegeven"),
    "copy-missing": CodeText(*_MISSING, "this kit took the signal in, but none of the files holds it; name them all, or say that it is gone", "deze kit heeft het signaal ontvangen, maar het staat in geen van de bestanden; noem ze alle, of zeg dat het weg is"),
    "not-a-correction": CodeText(*_INVALID, "the new signal differs from the first in more than its content", "het nieuwe signaal verschilt in meer dan de inhoud van het eerste"),
    # authenticity
    "no-certificate": CodeText(*_UNAUTHENTIC, "no client certificate with an OIN was shown", "er is geen certificaat met OIN getoond"),
    "certificate-expired": CodeText(*_UNAUTHENTIC, "the certificate is outside its validity period", "het certificaat is niet (meer) geldig"),
    "certificate-revoked": CodeText(*_UNAUTHENTIC, "the certificate was revoked", "het certificaat is ingetrokken"),
    "certificate-untrusted": CodeText(*_UNAUTHENTIC, "the certificate does not chain to a trusted root", "het certificaat is niet van een vertrouwde uitgever"),
    "signature-wrong": CodeText(*_UNAUTHENTIC, "the signature does not hold", "de handtekening klopt niet"),
    "signing-key-replaced": CodeText(*_UNAUTHENTIC, "signed with a key that was replaced; sign it anew", "getekend met een sleutel die is vervangen; teken opnieuw"),
    "proof-wrong": CodeText(*_UNAUTHENTIC, "the proof does not hold", "het bewijs klopt niet"),
    "ciphertext-wrong": CodeText(*_UNAUTHENTIC, "the ciphertext does not open", "de versleutelde inhoud gaat niet open"),
    "manifest-wrong": CodeText(*_UNAUTHENTIC, "the fields do not match the signed manifest", "de velden kloppen niet met de ondertekende lijst"),
    "replayed": CodeText(*_UNAUTHENTIC, "this signal was received before", "dit signaal is eerder ontvangen"),
    "key-not-logged": CodeText(*_UNAUTHENTIC, "the evaluator's key is not in the log", "de sleutel van de evaluator staat niet in het logboek"),
    "key-changed": CodeText(*_UNAUTHENTIC, "a key differs from the one seen before", "een sleutel wijkt af van de eerder geziene"),
    "log-inconsistent": CodeText(*_UNAUTHENTIC, "the log contradicts itself", "het logboek spreekt zichzelf tegen"),
    "checkpoint-wrong": CodeText(*_UNAUTHENTIC, "the checkpoint does not hold", "het ijkpunt klopt niet"),
    "evidence-wrong": CodeText(*_UNAUTHENTIC, "a file of the evidence is missing, too many, or not what it should be", "een bestand van het bewijs ontbreekt, is te veel of klopt niet"),
    "digest-wrong": CodeText(*_UNAUTHENTIC, "the digest of deposits does not hold", "het overzicht van klaarliggende signalen klopt niet"),
    "digest-stale": CodeText(*_UNAUTHENTIC, "the digest of deposits is older than one seen before", "het overzicht van klaarliggende signalen is ouder dan een eerder gezien"),
    "not-witnessed": CodeText(*_UNAUTHENTIC, "too few trusted witnesses cosigned the checkpoint", "te weinig vertrouwde getuigen tekenden het ijkpunt mee"),
    # permission
    "party-unknown": CodeText(*_FORBIDDEN, "this OIN is not registered here", "dit OIN is hier niet bekend"),
    "party-stopped": CodeText(*_FORBIDDEN, "this participant has been stopped", "deze deelnemer is stilgezet"),
    "not-your-identity": CodeText(*_FORBIDDEN, "the certificate belongs to another party than the message", "het certificaat is van een andere partij dan het bericht"),
    "not-your-domain": CodeText(*_FORBIDDEN, "the caller takes no part in this pseudonymisation domain", "de vrager hoort niet bij dit pseudoniemdomein"),
    "not-your-role": CodeText(*_FORBIDDEN, "this call is for another role", "deze handeling is voor een andere rol"),
    "persons-not-in-bulk": CodeText(*_FORBIDDEN, "persons without a number are asked about one by one: no digest, watch list or register", "naar personen zonder nummer wordt één voor één gevraagd: geen overzicht, bewaakte lijst of register"),
    "officer-unknown": CodeText(*_FORBIDDEN, "no active officer of this name may sign", "geen actieve functionaris met deze naam mag tekenen"),
    "link-spent": CodeText(*_FORBIDDEN, "this link was used, or is older than ten minutes", "deze link is al gebruikt of ouder dan tien minuten"),
    "sign-in-failed": CodeText(*_FORBIDDEN, "the identity provider did not vouch for an officer of a participant", "de identiteitsdienst staat niet in voor een functionaris van een deelnemer"),
    "form-not-ours": CodeText(*_FORBIDDEN, "the form does not come from this page; open it again", "het formulier komt niet van deze pagina; open haar opnieuw"),
    "too-many-requests": CodeText(*_SPENT, "too many requests; try again in a minute", "te veel verzoeken; probeer het over een minuut opnieuw"),
    "budget-spent": CodeText(*_SPENT, "the budget of pseudonyms for today is spent", "het budget aan pseudoniemen voor vandaag is op"),
    # state
    "idempotency-conflict": CodeText(*_CONFLICT, "the idempotency key was used with other content", "de herhaalsleutel is eerder met andere inhoud gebruikt"),
    "signal-exists": CodeText(*_CONFLICT, "a signal with this id exists", "er is al een signaal met dit kenmerk"),
    "party-exists": CodeText(*_CONFLICT, "this OIN is registered already", "dit OIN is al bekend"),
    "key-exists": CodeText(*_CONFLICT, "a key exists already and is not overwritten", "er is al een sleutel; die wordt niet overschreven"),
    "state-damaged": CodeText(*_STATE, "what this kit remembers was changed outside it", "wat deze kit onthoudt is buiten de kit om gewijzigd"),
    "wrong-state": CodeText(*_STATE, "this is not possible in the present state", "dit kan niet in de huidige toestand"),
    "already-signed": CodeText(*_CONFLICT, "this officer signed already; another officer is due", "deze functionaris heeft al getekend; een andere functionaris is nodig"),
    "approvals-missing": CodeText(*_STATE, "the change lacks the signature of an officer", "de wijziging mist de handtekening van een functionaris"),
    "clock-behind-log": CodeText(*_BUSY, "the broker's clock is behind its own log", "de klok van de broker loopt achter op het logboek"),
    "clock-leapt": CodeText(*_STATE, "the broker's clock leapt ahead; nothing is destroyed until an operator confirms it", "de klok van de broker sprong vooruit; er wordt niets vernietigd tot een beheerder haar bevestigt"),
    "storage-unavailable": CodeText(*_BUSY, "the database does not answer; nothing was done", "de database antwoordt niet; er is niets gedaan"),
    "peer-unavailable": CodeText(*_BUSY, "the other side does not answer", "de andere kant antwoordt niet"),
    "card-changed": CodeText(*_BUSY, "the registered keys changed during the call; try again", "de geregistreerde sleutels veranderden onder het verzoek; probeer het opnieuw"),
    "overloaded": CodeText(*_BUSY, "too much work is waiting; try again later", "er wacht te veel werk; probeer het later"),
    "shutting-down": CodeText(*_BUSY, "the server is stopping; nothing was done", "de server stopt; er is niets gedaan"),
    "not-found": CodeText(*_MISSING, "it is not there, or not for this caller", "het is er niet, of niet voor deze vrager"),
    "key-missing": CodeText(*_MISSING, "a key file is missing", "er ontbreekt een sleutelbestand"),
    "key-weak": CodeText(*_STATE, "a key file is unusable or readable by others", "een sleutelbestand is onbruikbaar of leesbaar voor anderen"),
    "defect": CodeText(*_DEFECT, "a mistake in Sluis; please report it", "een fout in Sluis; meld dit alstublieft"),
}
# fmt: on
