"""LACE and HOSPITAL. Pure: inputs in, points out, with what is missing and how far the score may still move.

Scores steer priority; nothing that must be told depends on them. Another score is a function of `Inputs` too.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

SHIPPED = Path(__file__).parent / "rules.yaml"
Steps = Sequence[Sequence[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """What the scores ask for; None is not known (yet). `days` is the difference of local dates, so far or in all.

    `visits` are emergency visits in the six months before, without the one that led to the stay; `admissions` those of
    the twelve months before. Haemoglobin is in g/dL, sodium in mmol/L, the last ones before the discharge.
    """

    days: int | None = None
    is_over: bool = False
    acute: bool | None = None
    diagnoses: tuple[str, ...] = ()
    visits: int | None = None
    admissions: int | None = None
    haemoglobin: Decimal | None = None
    sodium: Decimal | None = None
    oncology: bool | None = None
    procedure: bool | None = None

    def kept(self) -> dict[str, Any]:
        return {name: str(v) if isinstance(v, Decimal) else v for name, v in asdict(self).items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """`points` count what is known; with what is `missing` it lies between `lowest` and `highest`.

    `expected` is the published share, in percent, of those who returned or died; `provisional`: it may still change.
    """

    name: str
    version: str
    points: int
    lowest: int
    highest: int
    band: str
    expected: Decimal
    provisional: bool
    missing: tuple[str, ...]
    parts: Mapping[str, int]


@lru_cache
def rules() -> Mapping[str, Any]:
    told: Mapping[str, Any] = yaml.safe_load(SHIPPED.read_text(encoding="utf-8"))
    return told


def lace(inputs: Inputs) -> Score:
    told = rules()["lace"]
    comorbidity = sum(told["comorbidities"][name]["points"] for name in comorbidities(inputs.diagnoses))
    parts = {
        "length": None if inputs.days is None else _step(told["days"], inputs.days),
        "acute": None if inputs.acute is None else told["acute"] * inputs.acute,
        "comorbidity": told["comorbidity_points"] if comorbidity >= told["comorbidity_from"] else comorbidity,
        "emergency": None if inputs.visits is None else min(inputs.visits, told["visits_most"]),
    }
    most = {"length": told["days"][0][1], "acute": told["acute"], "emergency": told["visits_most"]}
    points = sum(part or 0 for part in parts.values())
    expected = Decimal(told["expected"][points])
    return _score("lace", told["version"], parts, most, told["bands"], expected, is_over=inputs.is_over)


def hospital(inputs: Inputs, version: str = "2016") -> Score:
    """Raises KeyError for a version that is none."""
    told = rules()["hospital"]
    parts = {
        "haemoglobin": None if inputs.haemoglobin is None else int(inputs.haemoglobin < told["haemoglobin_below"]),
        "oncology": None if inputs.oncology is None else told["oncology"] * inputs.oncology,
        "sodium": None if inputs.sodium is None else int(inputs.sodium < told["sodium_below"]),
        "procedure": None if inputs.procedure is None else int(inputs.procedure),
        "index-type": None if inputs.acute is None else int(inputs.acute),
        "admissions": None if inputs.admissions is None else _step(told["admissions"][version], inputs.admissions),
        "length": None if inputs.days is None else told["long_stay"] * (inputs.days >= told["long_stay_days"]),
    }
    most = {"haemoglobin": 1, "oncology": told["oncology"], "sodium": 1, "procedure": 1, "index-type": 1}
    most |= {"admissions": told["admissions"][version][0][1], "length": told["long_stay"]}
    band = _step(told["bands"], sum(part or 0 for part in parts.values()))
    expected = Decimal(told["observed"][version][band])
    return _score("hospital", version, parts, most, told["bands"], expected, is_over=inputs.is_over)


def hospital_2013(inputs: Inputs) -> Score:
    return hospital(inputs, "2013")


SCORES: Mapping[str, Callable[[Inputs], Score]] = {
    "lace": lace,
    "hospital-2016": hospital,
    "hospital-2013": hospital_2013,
}
"""Those shipped; `scoring.py` plugs in others."""


def comorbidities(diagnoses: Iterable[str]) -> frozenset[str]:
    """Which of LACE's comorbidities the ICD-10-CM codes name; of a mild and a severe one only the severe."""
    told = rules()["lace"]["comorbidities"]
    codes = [code.replace(".", "").upper() for code in diagnoses]
    named = {name for name, one in told.items() if any(code.startswith(tuple(one["codes"])) for code in codes)}
    return frozenset(name for name in named if told[name].get("unless") not in named)


def _step(steps: Steps, value: int) -> Any:
    return next(points for least, points in steps if value >= least)


def _score(
    name: str,
    version: str,
    parts: Mapping[str, int | None],
    most: Mapping[str, int],
    bands: Steps,
    expected: Decimal,
    *,
    is_over: bool,
) -> Score:
    missing = tuple(part for part, points in parts.items() if points is None)
    points = sum(part or 0 for part in parts.values())
    return Score(
        name=name,
        version=version,
        points=points,
        lowest=points,
        highest=points + sum(most[part] for part in missing),
        band=_step(bands, points),
        expected=expected,
        provisional=bool(missing) or not is_over,
        missing=missing,
        parts={part: points or 0 for part, points in parts.items()},
    )
