"""Where a person can be written to or found: e-mail addresses and full postal addresses. On folded text.

A search starts at what is rare (the sign for "at", a postcode, a word with a number behind it) and looks a bounded
distance to both sides, so that a long text costs no more than its length.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

Span = tuple[int, int]


def _words(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


# --- e-mail

_AT: Final = re.compile(
    r"@|\s?[\[({<]\s?(?:at|a|apenstaart(?:je)?)\s?[\])}>]\s?|(?P<word>[\s_-](?:at|apenstaart(?:je)?)[\s_-])",
    re.IGNORECASE,
)
_DOT: Final = (
    r"(?:\.|\s\.\s|\s?[\[({<]\s?(?:dot|punt|\.)\s?[\])}>]\s?|[\s_](?:dot|punt)[\s_])"  # the ways to write a dot
)
_KNOWN_ENDS: Final = (
    r"(?:nl|com|org|net|eu|be|de|info|nu|frl|amsterdam|online|email|biz|me|io|uk|fr|edu|gov|care|health|tv|app|dev)"
)
_DOMAIN: Final = re.compile(r"\s{0,2}(?:[^\W_][\w-]{0,62}+\.){1,8}[^\W\d_]{2,24}(?![\w])", re.IGNORECASE)
_DOMAIN_SPELLED: Final = re.compile(
    rf"\s{{0,2}}[^\W_][\w-]{{0,62}}?(?:{_DOT}[^\W_][\w-]{{0,62}}?){{0,4}}{_DOT}{_KNOWN_ENDS}(?![\w])", re.IGNORECASE
)
# People leave out the end of these.
_DOMAIN_SHORT: Final = re.compile(
    r"\s{0,2}(?:gmail|hotmail|outlook|icloud|yahoo|ziggo|kpnmail|planet|xs4all|protonmail|googlemail)(?![\w])",
    re.IGNORECASE,
)
# Read backwards, from the sign to the left.
_LOCAL_BACKWARDS: Final = re.compile(
    r"\s{0,2}[\w.+%&'~-]{1,64}+(?:(?:\s\.\s|\s(?:tnup|tod)\s|\s?[\])}](?:tnup|tod)[\[({]\s?)[\w+-]{1,30}+){0,3}",
    re.IGNORECASE,
)
_LETTER: Final = re.compile(r"[^\W\d_]")
_FIRST: Final = re.compile(r"\w")
# "volg ons op @zorgregio.nl" names an account; "zij at thuis.nl" and "look at example.nl" are sentences.
_BEFORE_A_MENTION: Final = _words(
    "op via van bij met naar volg ons zie en of is de het account onze twitter instagram mastodon"
)
_BEFORE_ATE: Final = _words(
    "hij zij ze ik wie men je jij u we die en dat niet er us me them him look looks looking meet available found "
    "published read see event online page website more"
)


def emails(text: str) -> Iterator[Span]:
    """Addresses with the sign, and those spelled out against spam: `naam [at] domein punt nl`."""
    for sign in _AT.finditer(text):
        domain = (
            _DOMAIN.match(text, sign.end())
            or _DOMAIN_SPELLED.match(text, sign.end())
            or _DOMAIN_SHORT.match(text, sign.end())
        )
        if domain is None:
            continue
        start = _local_part(text, sign)
        if start is not None:
            yield start, domain.end()


def _local_part(text: str, sign: re.Match[str]) -> int | None:
    """Where the part before the sign starts, if there is one that can be a mailbox."""
    left = text[max(0, sign.start() - 180) : sign.start()]
    local = _LOCAL_BACKWARDS.match(left[::-1])
    if local is None:
        return None
    part = left[len(left) - local.end() :]
    first = _FIRST.search(part)
    if first is None:
        return None
    said = part[first.start() :].strip()
    tight = sign[0] == "@" and not text[sign.start() - 1].isspace()
    if not tight and not _LETTER.search(said):
        return None
    if sign["word"] and said.lower() in _BEFORE_ATE:
        return None
    if sign[0] == "@" and not tight and not text[sign.end()].isspace() and said.lower() in _BEFORE_A_MENTION:
        return None
    return sign.start() - len(part) + first.start()


# --- addresses

_POSTCODE: Final = re.compile(
    r"(?<!\w)(?<![\d][.,-])[1-9]\d{3}(?P<gap>[ .\-]{0,2})(?P<letters>[A-Za-z]{2})(?![A-Za-z_])"
)
# Two letters after four digits that are a word or a unit when they are set apart: "2024 en 12", "1000 mg 3 keer".
_NO_POSTCODE: Final = _words(
    "en in op of te is de er na al zo je we he me om tm ca uit met per ml mg kg km cm mm gb mb kb eu eur min u sa sd ss"
)
_NUMBER: Final = (
    r"(?P<number>\d{1,4})(?P<addition>\s?(?:[a-h]|bis|hs|huis|zwart|rood)(?!\w)|[a-z]{1,2}(?!\w)|-(?:\d{1,4}|[a-z]{1,4})(?!\w)"
    r"|\s?[IVX]{1,4}(?!\w))?(?![\w%€°:]|[.,/]\d|\s?(?:%|€))"
)
_AFTER_POSTCODE: Final = re.compile(
    r"[\s,;:(|\-]{0,3}(?:(?:huis)?(?:nummer|nr)\b[.:]{0,2}\s{0,2}|no\.\s?|#\s?)?" + _NUMBER, re.IGNORECASE
)
_SAID_AFTER_POSTCODE: Final = re.compile(
    r"[^\d\n.]{0,30}?\b(?:huis)?(?:nummer|nr)\b[.:]{0,2}\s{0,2}" + _NUMBER, re.IGNORECASE
)
_COUNTED: Final = re.compile(
    r"\s(?:bewoners?|inwoners?|mensen|personen|huishoudens?|gezinnen|kinderen|ouderen|studenten|jongeren|ouders|cliënten"
    r"|patiënten|deelnemers|reacties|signalen|meldingen|gesprekken|woningen|keer|maal|jaar|jaren|maand(?:en)?|weken|week"
    r"|dagen|dag|uur|uren|minuten|procent|euro|miljoen|meter|km|stuks|plekken|huisartsen|van de)\b",
    re.IGNORECASE,
)
# Backwards from the postcode: the house number, then the street's last word.
_BACKWARDS: Final = re.compile(
    r"[\s,|;(\-]{1,4}(?:(?:[a-h]|sib|sh)\s|[a-z]{1,2}-?|[IVX]{1,4}[\s-]|\d{1,4}-|[IVX]{1,4}-)?(?P<number>\d{1,4})(?!\d)\s{1,2}"
    r"(?:\.?(?:rn|remmun)(?:siuh)?\s)?(?P<street>[\w'.-]{2,40}+)",
    re.IGNORECASE,
)

_STREET_ENDS: Final = (
    *("straat", "straatje", "str.", "laan", "laantje", "weg", "wegje", "plein", "pleintje", "singel", "gracht", "kade"),
    *("dijk", "steeg", "dreef", "plantsoen", "boulevard", "allee", "pad", "hof", "hofje", "kwartier"),
)
# Endings that towns, markets and words share: a street only with a capital.
_STREET_ENDS_NAMED: Final = (
    *("park", "markt", "baan", "brink", "erf", "gaarde", "kamp", "horst", "akker", "diep", "zijl", "wal", "werf"),
    *("zoom", "tuin", "poort", "schans", "vaart", "vliet", "burcht", "haven", "heuvel", "hoek", "veste", "ring"),
    *("eind", "einde", "voorhout", "meent", "donk", "sloot", "weide", "beemd", "berg", "bos", "es", "heem"),
)
_NO_STREETS: Final = _words(
    "onderweg terugweg snelweg uitweg omweg rijksweg autoweg spoorweg halfweg fietspad voetpad wandelpad zorgpad "
    "leerpad stappenpad keuzepad groeipad klantpad cliëntpad patiëntpad ontwikkelpad ruiterpad zorgplein leerplein "
    "schoolplein gerechtshof zijstraat winkelstraat arbeidsmarkt woningmarkt zorgmarkt snelwegen "
    "werkplaats postbus antwoordnummer kamer groep fase artikel lokaal zaal afdeling verdieping team locatie blok "
    "route lijn buslijn nummer tabel bijlage hoofdstuk agenda nota proces les stap unit ring berg bos es spiekring "
    "verzekering regeling vergadering ervaring regering training uitvoering ondersteuning begeleiding"
)
_YEAR: Final = re.compile(r"(?:19|20)\d\d$")
_WORD_AND_NUMBER: Final = re.compile(
    r"(?<![\w'.-])(?P<street>[^\W\d_][\w'.-]*+)\s{1,2}(?:(?:op\s)?(?:huis)?(?:nr\.?|nummer)\s)?" + _NUMBER,
    re.IGNORECASE,
)
_NAME: Final = r"(?:'[stS][- ]|(?:Den|De|Het|Sint|St\.|Nieuw|Oud)\s)?[^\W\d_a-z][\w'-]+"
_PLACE_AFTER: Final = re.compile(
    rf"(?:\s?[,(|–-]\s?|\s(?:in|te)\s|\s)(?:in\s|te\s)?(?:\d{{4}}\s?(?:[A-Z]{{2}}\s)?)?(?P<place>{_NAME})"
)
_PLACE_AFTER_SMALL: Final = re.compile(r"(?:,\s?|\s(?:in|te)\s)(?P<place>[^\W\d_][\w'-]{2,})")
_NO_PLACES: Final = _words(
    "de het een deze die dat dit onze mijn zijn haar hun ons totaal plaats verband gebruik aanbouw januari februari "
    "maart april mei juni juli augustus september oktober november december zomer winter lente herfst handen beeld "
    "maar want dus waar wat wie toen als omdat zodat daar hier ook nog dan toch heb heeft wordt weken maanden jaar "
    "beide alle elke veel weinig meer minder gesprek overleg nederland"
)
_PLACE_BEFORE: Final = re.compile(rf"(?:\b(?:in|te)\s{_NAME},?|{_NAME},)\s(?:(?:aan|op)\s)?(?:de\s|het\s)?$")
_LIVES_BEFORE: Final = re.compile(
    r"(?:\b(?:woont|woon|wonen|woonde|woonden|woonachtig|verhuisd?|verhuisde)\s(?:(?:nu|sinds kort|zelfstandig)\s)?"
    r"(?:op|aan|naar)?\s?(?:de\s|het\s)?|adres(?:\sis|\scliënt|:)(?:\sis|:)?\s(?:de\s|het\s)?)$",
    re.IGNORECASE,
)
_LIVES_IN: Final = re.compile(r"\b(?:woont|woon|wonen|woonde|woonden|woonachtig)\sin\s(?:de\s|het\s)?$", re.IGNORECASE)
_STREET_OF: Final = re.compile(r"\b(?:Laan|Weg|Plein|Park|Hof|Kade)\svan(?:\s(?:de|den|der|het))?\s$")


def addresses(text: str) -> Iterator[Span]:
    """A postcode with a house number, or a street with a number and a place, or with the word that somebody lives there."""
    yield from _with_postcode(text)
    yield from _with_street(text)


def _with_postcode(text: str) -> Iterator[Span]:
    for code in _POSTCODE.finditer(text):
        apart = bool(code["gap"])
        if code["letters"].lower() in _NO_POSTCODE and (apart or code["letters"].islower()):
            continue
        street = _street_before(text, code.start())
        if street is not None:
            yield street, code.end()
            continue
        number = _AFTER_POSTCODE.match(text, code.end()) or _SAID_AFTER_POSTCODE.match(text, code.end())
        if number and not _YEAR.match(number["number"]) and not _COUNTED.match(text, number.end()):
            yield code.start(), number.end()


def _street_before(text: str, postcode: int) -> int | None:
    """Where `Singel 7, ` starts that stands before a postcode."""
    left = text[max(0, postcode - 70) : postcode]
    match = _BACKWARDS.match(left[::-1])
    if match is None or _YEAR.match(match["number"][::-1]):
        return None
    street = match["street"][::-1].lstrip("'.-")
    if street.lower() in _NO_STREETS or not (street[:1].isupper() or street.lower().endswith(_STREET_ENDS)):
        return None
    return postcode - match.end("street") + len(match["street"]) - len(street)


def _with_street(text: str) -> Iterator[Span]:
    for match in _WORD_AND_NUMBER.finditer(text):
        street = match["street"].rstrip(".")
        small = street.lower()
        if small in _NO_STREETS or _YEAR.match(match["number"]) or _COUNTED.match(text, match.end()):
            continue
        before = text[max(0, match.start() - 40) : match.start()]
        named = street[0].isupper()
        if named and _LIVES_BEFORE.search(before):
            yield match.span()
            continue
        sure = (named or len(small) > 7) and small.endswith(_STREET_ENDS)
        of = named and not sure and _STREET_OF.search(before)
        if not (sure or of or (named and small.endswith(_STREET_ENDS_NAMED))):
            continue
        place = _PLACE_AFTER.match(text, match.end())
        if place is None and not named:
            place = _PLACE_AFTER_SMALL.match(text, match.end())
        if place and place["place"].lower() not in _NO_PLACES:
            yield match.start(), place.end()
        elif sure and named and (_PLACE_BEFORE.search(before) or _LIVES_IN.search(before)):
            yield match.span()
