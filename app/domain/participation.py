"""The participation profile: promise against practice, and what the programme asks of every hub, in figures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

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


def check_grouping(given: Mapping[str, Any], faults: Faults) -> None:
    """Regions are grouped by a scheme, periods by their length; neither means anything for another grouping."""
    by = given.get("groupBy")
    if by == "region" and not given.get("scheme"):
        faults.add("query", "scheme", "required", "Grouped by region, name a scheme: ggd-regio, provincie …")
    if by != "region" and given.get("scheme"):
        faults.add("query", "scheme", "not-applicable", "A scheme goes with groupBy=region.")
    if by != "period" and given.get("period"):
        faults.add("query", "period", "not-applicable", "A length of period goes with groupBy=period.")
