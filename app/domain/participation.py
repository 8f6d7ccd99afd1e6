"""The participation profile: promise against practice, and what the programme asks of every hub, in figures."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any, Literal

from app.domain.checking import month_given
from app.domain.errors import Faults

GroupBy = Literal["all", "hub", "region", "workfield", "theme", "period"]
Period = Literal["month", "quarter", "year"]
NOUN = "participation-figures"

# The conditions that are computed here (`participation-condition`): the questions that meet each, out of those that could.
CONDITIONS: Mapping[str, tuple[str, str]] = {
    "inclusief": ("seldom", "questions"),
    "samenwerking": ("together", "questions"),
    "verantwoordelijkheid-en-zeggenschap": ("confirmed", "questions"),
    "transparantie": ("transparent", "concluded"),
    "impact-en-opvolging": ("followed", "concluded"),
    "brug-leefwereld-systeemwereld": ("from_signals", "questions"),
    "mensen-zelf-aan-tafel": ("cells_of_people", "cells"),
    "hele-participatiematrix": ("whole_matrix", "concluded"),
}


Unit = Literal["number", "days", "share", "ratio"]


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure of a condition besides its share. `never`: why the service cannot compute it, in Dutch and English."""

    condition: str
    code: str
    unit: Unit
    label_nl: str
    label_en: str
    never: tuple[str, str] | None = None


_PROTECTED = (
    "Signalen worden beschermd geteld: zie /v1/signal-counts?groupBy=workfield.",
    "Signals are counted with protection: see /v1/signal-counts?groupBy=workfield.",
)
_UNKNOWN_TYPES = (
    "Welke soorten gastorganisaties zijn toegelaten, staat niet vast.",
    "Which types of host are admitted is not laid down.",
)
_NO_AGENDA = (
    "Landelijke agenda's worden hier niet bijgehouden.",
    "National agendas are not kept here.",
)
# Why a figure is null that could have been there: the grouping, or nothing to compute it from.
GROUPED = (
    "Dit wordt bijgehouden per hub, landelijk en per periode.",
    "This is kept by hub, nationally and by period.",
)
NOTHING = ("Er is nog niets om dit uit te rekenen.", "There is nothing yet to compute this from.")

FIGURES = (
    Figure("inclusief", "groups", "number", "Verschillende groepen geworven", "Distinct groups recruited"),
    Figure("verscheidenheid-methoden", "methods", "number", "Verschillende methoden", "Distinct methods"),
    Figure("verscheidenheid-methoden", "most-used-method", "share", "Aandeel van de meest gebruikte", "Share of the most used"),
    Figure("transparantie", "days-to-publication", "days", "Mediane dagen van besluit tot openbare afronding", "Median days from decision to public conclusion"),
    Figure("flexibiliteit", "days-to-recruitment", "days", "Mediane dagen van verzoek tot eerste deelnemer", "Median days from request to first participant"),
    Figure("flexibiliteit", "taken-up", "share", "Aandeel verzoeken opgepakt", "Share of requests taken up"),
    Figure("impact-en-opvolging", "in-time", "share", "Aandeel signalen op tijd beantwoord", "Share of signals answered in time"),
    Figure("breed-en-specifiek", "questions-inclusie", "share", "Vraagstukken: inclusie", "Questions: inclusion"),
    Figure("breed-en-specifiek", "questions-psychische-kwetsbaarheid", "share", "Vraagstukken: psychische kwetsbaarheid", "Questions: mental vulnerability"),
    Figure("breed-en-specifiek", "questions-medische-zorg", "share", "Vraagstukken: medische zorg", "Questions: medical care"),
    Figure("breed-en-specifiek", "questions-werkveldoverstijgend", "share", "Vraagstukken: werkveldoverstijgend", "Questions: cross-cutting"),
    Figure("breed-en-specifiek", "signals", "share", "Verdeling van signalen", "Spread of signals", _PROTECTED),
    Figure("brug-leefwereld-systeemwereld", "agenda-setting", "ratio", "Agenderend tegenover reactief", "Agenda-setting to responsive"),
    Figure("hele-participatiematrix", "levels", "share", "Aandeel niveaus dat voorkomt", "Share of levels that occur"),
    Figure("hele-participatiematrix", "phases", "share", "Aandeel fasen dat voorkomt", "Share of phases that occur"),
    Figure("flexibele-regio-indelingen", "schemes", "number", "Indelingen waarin vraagstukken spelen", "Schemes in which questions play"),
    Figure("flexibele-regio-indelingen", "across", "share", "Aandeel over de hubgrens", "Share across the hub border"),
    Figure("synergie-landelijk-regionaal-lokaal", "responded", "share", "Aandeel doorgezonden signalen met reactie", "Share of forwarded signals with a response"),
    Figure("synergie-landelijk-regionaal-lokaal", "on-agenda", "number", "Nu op de agenda van een koepel", "Now on the agenda of an umbrella"),
    Figure("synergie-landelijk-regionaal-lokaal", "national-agenda", "number", "Gekoppeld aan een landelijke agenda", "Linked to a national agenda", _NO_AGENDA),
    Figure("functie-bij-bestaande-organisatie", "hosted", "share", "Gastorganisatie bekend", "Host known"),
    Figure("functie-bij-bestaande-organisatie", "admitted", "share", "Gastorganisatie van toegelaten type", "Host of an admitted type", _UNKNOWN_TYPES),
    Figure("functie-bij-bestaande-organisatie", "steered", "share", "Stuurgroep volledig over drie werkvelden", "Steering group complete over three workfields"),
)  # fmt: skip
COMPUTED = tuple(dict.fromkeys((*CONDITIONS, *(figure.condition for figure in FIGURES))))


def check_grouping(given: MutableMapping[str, Any], faults: Faults) -> None:
    """Regions are grouped by a scheme, periods by their length; neither means anything for another grouping. The first and
    last month become `2026-03`, from a month or any day in it."""
    by = given.get("groupBy")
    if by == "region" and not given.get("scheme"):
        faults.add("query", "scheme", "required", "Grouped by region, name a scheme: ggd-regio, provincie …")
    if by != "region" and given.get("scheme"):
        faults.add("query", "scheme", "not-applicable", "A scheme goes with groupBy=region.")
    if by != "period" and given.get("period"):
        faults.add("query", "period", "not-applicable", "A length of period goes with groupBy=period.")
    months = {
        name: month_given(given[name], public, faults)
        for name, public in (("since", "from"), ("until", "to"))
        if given.get(name) is not None
    }
    for name, month in months.items():
        if month is not None:
            given[name] = month.isoformat()[:7]
    first, last = months.get("since"), months.get("until")
    if first is not None and last is not None and last < first:
        faults.add("query", "to", "wrong-order", "A period ends after it begins.")
