"""Which stays a protocol applies to. Pure."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Self

from pydantic import Field, model_validator

from services.transitions.disposition import base_of
from services.transitions.task_rule import Anchor, Part
from shared.events.people import Diagnosis, EncounterClass

LONGEST_LIFE = 150
YEAR_ONLY = 4
MONTH_ONLY = 7


class Stay(Part):
    """What selection looks at. `age` in whole years at the admission; None where it is not known."""

    discharged: bool
    disposition: str = "unknown"
    encounter_class: EncounterClass
    diagnoses: tuple[str, ...] = ()
    service: str | None = None
    age: int | None = None
    risk: str | None = None

    @classmethod
    def of(
        cls,
        *,
        discharged: bool,
        nubc: str | None,
        encounter_class: EncounterClass,
        diagnoses: Iterable[Diagnosis],
        **more: str | int | None,
    ) -> Self:
        codes = tuple(diagnosis.code.replace(".", "").upper() for diagnosis in diagnoses)
        return cls.model_validate(
            {
                "discharged": discharged,
                "disposition": base_of(nubc),
                "encounter_class": encounter_class,
                "diagnoses": codes,
                **more,
            }
        )


class Applies(Part):
    """To which stays a protocol applies; an empty list asks nothing.

    - `trigger`: from the admission on, or only once discharged. Dispositions are known only then.
    - `dispositions` are NUBC codes without the planned-readmission variants (81-95 are read as their base code);
      `unknown` stands for a disposition that no map knows.
    - `diagnoses` are prefixes of ICD-10-CM codes; `conditions` are value sets of such prefixes by name (in the file
      only their names stand), of which `at_least` so many must be there.
    - `services` are hospital services as the feed says them (PV1-10).
    - ages are in whole years; someone whose age is not known is not left out.
    - `risks` are bands of the risk score; a score that is not known yet fits none.
    """

    trigger: Anchor = Anchor.ADMISSION
    dispositions: frozenset[str] = frozenset()
    classes: frozenset[EncounterClass] = frozenset()
    diagnoses: tuple[str, ...] = ()
    conditions: Mapping[str, tuple[str, ...]] = {}
    at_least: int = Field(default=1, ge=1, le=20)
    services: frozenset[str] = frozenset()
    min_age: int | None = Field(default=None, ge=0, le=LONGEST_LIFE)
    max_age: int | None = Field(default=None, ge=0, le=LONGEST_LIFE)
    risks: frozenset[str] = frozenset()

    @model_validator(mode="after")
    def _can_fit(self) -> Self:
        if self.conditions and self.at_least > len(self.conditions):
            raise ValueError("at_least asks for more conditions than are named")
        if self.min_age is not None and self.max_age is not None and self.min_age > self.max_age:
            raise ValueError("min_age lies above max_age")
        return self

    def fits(self, stay: Stay) -> bool:
        return (
            (stay.discharged or self.trigger is Anchor.ADMISSION)
            and (not self.dispositions or (stay.discharged and stay.disposition in self.dispositions))
            and (not self.classes or stay.encounter_class in self.classes)
            and (not self.services or stay.service in self.services)
            and (not self.diagnoses or any(code.startswith(self.diagnoses) for code in stay.diagnoses))
            and (not self.conditions or self._held(stay) >= self.at_least)
            and (not self.risks or stay.risk in self.risks)
            and self._is_of_age(stay.age)
        )

    def _held(self, stay: Stay) -> int:
        """How many of the conditions the stay's diagnoses show."""
        return sum(any(code.startswith(prefixes) for code in stay.diagnoses) for prefixes in self.conditions.values())

    def _is_of_age(self, age: int | None) -> bool:
        if age is None:
            return True
        return (self.min_age is None or age >= self.min_age) and (self.max_age is None or age <= self.max_age)


def age_at(birth_date: str | None, at: datetime | None) -> int | None:
    """Whole years at the instant's date. A birth date without month or day is read as the earliest it may be, so that
    nobody near a limit is left out; None where it is missing or can't be read.
    """
    if not birth_date or at is None:
        return None
    text = birth_date[:10]
    padded = f"{text}-01-01" if len(text) == YEAR_ONLY else f"{text}-01" if len(text) == MONTH_ONLY else text
    try:
        born = date.fromisoformat(padded)
    except ValueError:
        return None
    today = at.date()
    return max(0, today.year - born.year - ((today.month, today.day) < (born.month, born.day)))
