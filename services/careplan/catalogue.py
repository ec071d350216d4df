"""Templates of care plans: read from YAML, checked, and chosen by where the patient goes and what ails them."""

from pathlib import Path
from typing import Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from services.careplan.course import Frame, PlannedActivity
from shared.events.plans import Goal
from shared.events.transitions import Transition

DIED = frozenset({"20", "40", "41", "42"})
"""NUBC discharge dispositions that say so."""


class CatalogueError(ValueError):
    """The templates can't be used. The message names the file and the field."""


class Applies(BaseModel):
    """When a template fits. Empty lists fit everyone; diagnoses are prefixes of ICD-10-CM codes without the dot.

    `died` fits those who died, in hospital or since.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    dispositions: frozenset[str] = frozenset()
    diagnoses: tuple[str, ...] = ()
    died: bool = False

    def fits(self, transition: Transition) -> bool:
        return (
            (not self.died or died(transition))
            and self._fits_disposition(transition)
            and self._fits_diagnosis(transition)
        )

    def _fits_disposition(self, transition: Transition) -> bool:
        code = transition.disposition.nubc if transition.disposition else None
        return not self.dispositions or code in self.dispositions

    def _fits_diagnosis(self, transition: Transition) -> bool:
        codes = [d.code.replace(".", "").upper() for d in transition.diagnoses]
        return not self.diagnoses or any(code.startswith(self.diagnoses) for code in codes)


def died(transition: Transition) -> bool:
    disposition = transition.disposition.nubc if transition.disposition else None
    return transition.patient.deceased or disposition in DIED


class TemplateActivity(PlannedActivity):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TemplateGoal(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    code: str = Field(pattern=r"^[a-z0-9-]+$")
    text: str


class Template(BaseModel):
    """A way home: exactly one `plan` is chosen, the fitting one of highest `rank`; an `addition` joins whenever it
    fits, unless the chosen plan stands `alone` (after a death). One that `outlives` ends by its activities alone.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str = Field(pattern=r"^[a-z0-9-]+$")
    version: str = Field(pattern=r"^\d{4}\.\d+$")
    title: str
    source: str
    adds: bool = False
    alone: bool = False
    outlives: bool = False
    rank: int = 0
    applies: Applies = Applies()
    needs: tuple[str, ...] = ()
    goals: tuple[TemplateGoal, ...] = Field(min_length=1)
    activities: tuple[TemplateActivity, ...] = Field(min_length=1)
    team: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _codes_are_unique(self) -> Self:
        codes = [a.code for a in self.activities] + [g.code for g in self.goals]
        repeated = {code for code in codes if codes.count(code) > 1}
        if repeated:
            raise ValueError(f"code used twice: {', '.join(sorted(repeated))}")
        return self


class Catalogue:
    """All templates. Choosing is pure: the same transition always gets the same frame from the same catalogue."""

    def __init__(self, templates: list[Template]) -> None:
        self._plans = sorted((t for t in templates if not t.adds), key=lambda t: (-t.rank, t.name))
        self._additions = sorted((t for t in templates if t.adds), key=lambda t: (-t.rank, t.name))
        self._frames: dict[tuple[str, ...], Frame] = {}
        if not any(t.applies == Applies() for t in self._plans):
            raise CatalogueError("no plan template fits everyone: one must have an empty `applies`")

    def choose(self, transition: Transition) -> Frame:
        plan = next(t for t in self._plans if t.applies.fits(transition))
        additions = [] if plan.alone else [t for t in self._additions if t.applies.fits(transition)]
        chosen = [plan, *additions]
        names = tuple(template.name for template in chosen)
        if names not in self._frames:
            self._frames[names] = _frame(chosen)
        return self._frames[names]


def read_catalogue(folder: Path) -> Catalogue:
    """Reads every *.yaml of the folder. Raises CatalogueError naming the file and the field that is wrong."""
    templates = [_read(path) for path in sorted(folder.glob("*.yaml"))]
    names = [t.name for t in templates]
    if len(names) != len(set(names)):
        raise CatalogueError(f"{folder.name}: two templates have one name")
    return Catalogue(templates)


def _read(path: Path) -> Template:
    try:
        return Template.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except ValidationError as wrong:
        fields = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'file'}: {e['msg']}" for e in wrong.errors())
        raise CatalogueError(f"{path.name}: {fields}") from None
    except yaml.YAMLError as wrong:
        raise CatalogueError(f"{path.name}: no YAML ({type(wrong).__name__})") from None


def _frame(chosen: list[Template]) -> Frame:
    activities = {a.code: a for t in reversed(chosen) for a in t.activities}
    ordered = dict.fromkeys(a.code for t in chosen for a in t.activities)
    goals = {g.code: g.text for t in reversed(chosen) for g in t.goals}
    return Frame(
        template="+".join(t.name for t in chosen),
        template_version="+".join(t.version for t in chosen),
        needs=tuple(dict.fromkeys(need for t in chosen for need in t.needs)),
        goals=tuple(
            Goal(code=code, text=goals[code]) for code in dict.fromkeys(g.code for t in chosen for g in t.goals)
        ),
        activities=tuple(PlannedActivity.model_validate(activities[code].model_dump()) for code in ordered),
        team=tuple(dict.fromkeys(role for t in chosen for role in t.team)),
        outlives=any(t.outlives for t in chosen),
    )
