"""The rules as data (`rules.yaml`): for how long a table keeps what has ended, and why so long."""

from collections.abc import Mapping
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

SHIPPED = Path(__file__).parent / "rules.yaml"
EVERY_SERVICE = "every-service"
# Kafka keeps events for 14 days: until then anything may be told again, and must be known.
FEWEST_DAYS = 15


class WrongRetentionError(ValueError):
    """The file of rules can't be used; the text says where and why."""


class RetentionSettings(BaseModel):
    """Part of each service's settings."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    file: Path = Field(default=SHIPPED, description="Rules of how long each table keeps what has ended.")
    every_s: float = Field(default=3600.0, gt=0, description="Seconds between two rounds of forgetting.")


class Rule(BaseModel):
    """`days` after its end a row goes; `why` says why not sooner, `stays` what is kept however old."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    days: int = Field(ge=FEWEST_DAYS)
    why: str = Field(min_length=10)
    stays: str = Field(min_length=3)


class Rulebook(BaseModel):
    """Rules by service and table; `never` names tables that forget nothing, with the reason."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int = Field(ge=1)
    services: dict[str, dict[str, Rule]]
    never: dict[str, str]


def read_book(file: Path = SHIPPED) -> Rulebook:
    """Raises WrongRetentionError."""
    try:
        return Rulebook.model_validate(yaml.safe_load(file.read_text(encoding="utf-8")))
    except OSError as error:
        raise WrongRetentionError(f"{file}: {error.strerror}") from None
    except yaml.YAMLError:
        raise WrongRetentionError(f"{file}: is no YAML") from None
    except ValidationError as wrong:
        places = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in wrong.errors())
        raise WrongRetentionError(f"{file}: {places}") from None


def read_rules(file: Path, service: str, tables: Mapping[str, str]) -> dict[str, Rule]:
    """The rules of a service's tables, those of the machinery among them, in the order of `tables`.

    Raises WrongRetentionError, also when a table has no rule or a rule no table.
    """
    book = read_book(file)
    given = book.services.get(EVERY_SERVICE, {}) | book.services.get(service, {})
    if given.keys() != tables.keys():
        odd = ", ".join(sorted(given.keys() ^ tables.keys()))
        raise WrongRetentionError(f"{file}: of {service}, each of these needs a table and a rule: {odd}")
    return {table: given[table] for table in tables}
