"""Business calendars of facilities: days on which a house is closed beside the public holidays, each with its reason.

Only rules that say `facility_calendar` count by them: the two business days of TCM run whatever the office hours.
"""

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from services.transitions.protocols import WrongProtocolError


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _ClosedDay(_Strict):
    day: date
    why: Annotated[str, Field(min_length=1, max_length=100)]


class _Calendars(_Strict):
    facilities: Mapping[str, tuple[_ClosedDay, ...]]


def read_calendars(path: Path | None) -> dict[str, dict[date, str]]:
    """Closed days by facility code; none without a file. Raises WrongProtocolError naming file and field."""
    if path is None:
        return {}
    try:
        told = _Calendars.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except ValidationError as wrong:
        first = wrong.errors(include_url=False, include_input=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        raise WrongProtocolError(f"{path.name}: {field or 'calendars'}: {first['msg']}") from None
    except (yaml.YAMLError, OSError) as wrong:
        raise WrongProtocolError(f"{path.name} can't be read: {type(wrong).__name__}") from None
    return {code: {entry.day: entry.why for entry in days} for code, days in told.facilities.items()}
