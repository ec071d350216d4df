"""What a discharge disposition (NUBC form locator 17) says of what comes next. Data (`disposition.yaml`)."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, model_validator

SHIPPED = Path(__file__).parent / "disposition.yaml"
Kind = Literal["home", "facility", "hospital", "hospice", "died", "against-advice", "law-enforcement", "still-patient"]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Code(_Part):
    """`index`: a return within 30 days of such a discharge may be a readmission."""

    means: str
    kind: Kind
    index: bool


class Dispositions(_Part):
    """`planned` are the codes of a planned readmission, each with the base code that says where the patient went."""

    name: str
    version: str
    source: str
    codes: Mapping[str, Code]
    planned: Mapping[str, str]

    @model_validator(mode="after")
    def _stand_for_known_ones(self) -> Self:
        if unknown := set(self.planned.values()) - set(self.codes):
            raise ValueError(f"planned stands for codes that are none: {', '.join(sorted(unknown))}")
        return self

    def of(self, *kinds: Kind) -> frozenset[str]:
        return frozenset(code for code, one in self.codes.items() if one.kind in kinds)


TABLE = Dispositions.model_validate(yaml.safe_load(SHIPPED.read_text(encoding="utf-8")))
UNKNOWN = "unknown"
STILL_PATIENT = "30"
AGAINST_ADVICE = "07"
DIED = TABLE.of("died")
TRANSFERRED = TABLE.of("hospital")
"""To another hospital: a return soon after is one episode with the first stay, no readmission."""
PLANNED = TABLE.planned


def base_of(nubc: str | None) -> str:
    """The code without its planned-readmission variant; `unknown` when there is none."""
    if nubc is None:
        return UNKNOWN
    return PLANNED.get(nubc, nubc)


def is_planned(nubc: str | None) -> bool:
    return nubc in PLANNED


def is_index(nubc: str | None) -> bool:
    """Whether a return after it may be a readmission; a code that no table knows is read as one."""
    known = TABLE.codes.get(base_of(nubc))
    return known is None or known.index
