"""All views, in one list."""

from __future__ import annotations

from app.infra.bundles import BUNDLE
from app.infra.change_digests import CHANGE_DIGEST
from app.infra.changes import CHANGE
from app.infra.hubs import HUB, HUB_PARTS
from app.infra.locations import LOCATED_REGION, LOCATION
from app.infra.organisations import ORGANISATION
from app.infra.participation import PARTICIPATION
from app.infra.projection import View
from app.infra.question_parts import QUESTION_PARTS
from app.infra.questions import QUESTION
from app.infra.regions import REGION_VIEWS
from app.infra.signal_parts import SIGNAL_PARTS
from app.infra.signals import SIGNAL
from app.infra.terms import TERM_VIEWS

VIEWS: tuple[View, ...] = (
    *REGION_VIEWS,
    LOCATION,
    LOCATED_REGION,
    *TERM_VIEWS,
    ORGANISATION,
    HUB,
    *HUB_PARTS,
    SIGNAL,
    *SIGNAL_PARTS,
    BUNDLE,
    CHANGE,
    CHANGE_DIGEST,
    QUESTION,
    *QUESTION_PARTS,
    *PARTICIPATION,
)
