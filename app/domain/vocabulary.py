"""Codes that content names: the terms of each vocabulary, and the regions with their lives."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from app.domain.routing import Umbrella


@dataclass(frozen=True, slots=True)
class Life:
    """A region of a scheme, from the first day to the day after the last."""

    scheme: str
    valid_from: date
    valid_to: date


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What there is to name, looked up once for one signal or a thousand."""

    terms: Mapping[str, Collection[str]]
    """Vocabulary → its codes, in its order."""
    hints: Mapping[str, Sequence[str]]
    """Theme → workfields that it hints at."""
    umbrellas: Sequence[Umbrella]
    regions: Mapping[str, Life]

    def on(self, day: date, codes: Collection[str]) -> dict[str, str]:
        """Code → scheme of the regions that exist on the day."""
        lives = {code: self.regions[code] for code in codes if code in self.regions}
        return {code: life.scheme for code, life in lives.items() if life.valid_from <= day < life.valid_to}
