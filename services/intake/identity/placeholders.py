"""People who are nobody in particular: unknown, unnamed, or made up. They are never matched. Pure."""

import re
from functools import cached_property

from pydantic import BaseModel, ConfigDict, Field

from services.intake.identity.traits import Traits


class Placeholders(BaseModel):
    """Patterns of names as `traits.plain` writes them, whole names; and birth dates that mean "not known"."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    family: tuple[str, ...] = Field(description="Family names that name nobody.")
    given: tuple[str, ...] = Field(description="Given names that name nobody: newborns, twins, trauma patients.")
    birth_dates: tuple[str, ...] = Field(description="Birth dates, `YYYY-MM-DD`, that stand for an unknown one.")

    @cached_property
    def _family(self) -> re.Pattern[str]:
        return re.compile("|".join(f"(?:{one})" for one in self.family))

    @cached_property
    def _given(self) -> re.Pattern[str]:
        return re.compile("|".join(f"(?:{one})" for one in self.given))

    def names_nobody(self, person: Traits) -> bool:
        """Whether the name is missing in part, or stands for "we do not know"."""
        if not person.family or not person.given:
            return True
        return bool(self._family.fullmatch(person.family) or self._given.fullmatch(person.given))

    def known_birth_date(self, birth_date: str) -> str:
        """The birth date; only its year where it is the first of January, nothing where it means "not known"."""
        if birth_date in self.birth_dates:
            return ""
        return birth_date[:4] if birth_date.endswith("-01-01") else birth_date
