"""A question as columns and documents: what goes by its version lies in its row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from datetime import date
from typing import Any
from uuid import UUID

import orjson

from app.domain.ladder import Levels, Setting
from app.domain.matrix import Balance, Cell, Matrix, Mix, MixGroup, Phase
from app.domain.outcomes import ImpactCheck, Input, Outcome, ToldBack
from app.domain.questions import Compensation, Period, Question


def documents(question: Question) -> tuple[str | None, ...]:
    """levels, phases, cells, mix, the reason of an imbalance, balance, compensation: as the columns have them.

    `place` keeps the order of a list where SQL makes rows of it.
    """
    return (
        _text(question.levels),
        _text(_placed(question.matrix.phases)),
        _text(_placed(question.matrix.cells)),
        _text(_placed(question.mix.groups)),
        question.mix.imbalance_reason,
        _text(question.balance),
        None if question.compensation is None else _text(question.compensation),
    )


def _text(value: Any) -> str:
    return orjson.dumps(value, default=str).decode()  # asyncpg has ids of a type of its own


def _placed(items: tuple[Any, ...]) -> list[dict[str, Any]]:
    return [
        {"place": place, **{part.name: getattr(item, part.name) for part in fields(item)}}
        for place, item in enumerate(items)
    ]


def question_from(row: Mapping[str, Any]) -> Question:
    """The question in a row of `question`, with its hubs and regions as codes."""
    source = row["workfields_source"]
    concerned = tuple(row["workfields"])
    compensation = _read(row["compensation"])
    return Question(
        id=row["id"],
        hub=row["hub"],
        title=row["title"],
        description=row["description"],
        themes=tuple(row["themes"]),
        regions=tuple(row["regions"]),
        origin=row["origin"],
        scope=row["scope"],
        hubs=tuple(row["hub_slugs"]),
        invited=tuple(row["invited_slugs"]),
        external_id=row["external_id"],
        stakeholder=row["stakeholder_id"],
        workfields={"given": concerned, "themes": None}.get(source, ()),
        methods=tuple(row["methods"]),
        levels=_levels(_read(row["levels"])),
        matrix=_matrix(_read(row["phases"]), _read(row["cells"])),
        mix=Mix(tuple(_mix_group(item) for item in _read(row["mix"])), row["imbalance_reason"]),
        compensation=None if compensation is None else Compensation(**compensation),
        period=Period(row["period_from"], row["period_to"]),
        requested_on=row["requested_on"],
        outcome=_outcome(_read(row["outcome"])),
        visibility=row["visibility"],
        status=row["status"],
        demonstration=row["demonstration"],
        version=row["version"],
        recruited_on=row["recruited_on"],
        concerned=concerned,
        workfields_source=source,
        balance=_balance(_read(row["balance"])),
    )


def _read(text: str | None) -> Any:
    return None if text is None else orjson.loads(text)


def _day(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)


def _balance(found: Mapping[str, Any]) -> Balance:
    read: dict[str, Any] = {name: tuple(part) if isinstance(part, list) else part for name, part in found.items()}
    return Balance(**read)


def _levels(found: Mapping[str, Any]) -> Levels:
    settings = {
        name: Setting(**{**found[name], "set_on": date.fromisoformat(found[name]["set_on"])})
        for name in ("intended", "agreed", "achieved")
        if found[name] is not None
    }
    return Levels(found["ladder"], explanation=found["explanation"], confirmed=found["confirmed"], **settings)


def _matrix(phases: Any, cells: Any) -> Matrix:
    return Matrix(
        tuple(Phase(item["code"], item["label"]) for item in phases),
        tuple(
            Cell(
                item["phase"], item["role"], item["activity"], tuple(item["groups"]), _day(item["on"]), item["realised"],
                item["held_by_hub"],
            )
            for item in cells
        ),
    )  # fmt: skip


def _mix_group(item: Mapping[str, Any]) -> MixGroup:
    organisations = tuple(UUID(found) for found in item["organisations"])
    return MixGroup(item["group"], item["wanted"], item["recruited"], organisations)


def _outcome(found: Any) -> Outcome | None:
    if found is None:
        return None
    return Outcome(
        found["input_summary"],
        found["decision"],
        found["explanation"],
        tuple(Input(**item) for item in found["inputs"]),
        found["impact"],
        tuple(ImpactCheck(date.fromisoformat(item["on"]), item["finding"]) for item in found["impact_checks"]),
        tuple(ToldBack(date.fromisoformat(item["on"]), item["how"], item["phase"]) for item in found["told_back"]),
        _day(found["decided_on"]),
    )
