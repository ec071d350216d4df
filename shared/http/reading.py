"""Reads a service's settings from the environment, or says line by line what is wrong with them and exits with 2."""

import difflib
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, SecretBytes, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, SettingsError

EXIT_WRONG_SETTINGS = 2
# Kubernetes announces services to their neighbours in variables of this shape.
ANNOUNCED = re.compile(r"(SERVICE_(HOST|PORT)|PORT)(_.*)?")
SettingsT = TypeVar("SettingsT", bound=BaseSettings)


def read_settings(cls: type[SettingsT]) -> SettingsT:
    """The settings; on errors one line each on stderr (which setting, what it saw, what it wants), then exit 2.

    A variable with the prefix that names no setting is an error too, unless the model ignores extra ones.
    """
    complaints = list(_unknown(cls, os.environ))
    try:
        settings = cls()
    except ValidationError as error:
        complaints += [_complaint(cls, item) for item in error.errors()]
    except SettingsError as error:
        complaints.append(f"{cls.model_config.get('env_prefix', '')}*: {error}")
    if complaints:
        for line in complaints:
            sys.stderr.write(line + "\n")
        raise SystemExit(EXIT_WRONG_SETTINGS)
    return settings


def _complaint(cls: type[BaseModel], error: Mapping[str, Any]) -> str:
    place = tuple(str(part) for part in error["loc"])
    name = variable(cls, place)
    field = _field_at(cls, place)
    about = f" ({field.description.rstrip('.')})" if field and field.description else ""
    if error["type"] == "missing":
        return f"{name}: saw nothing, wants a value{about}"
    seen = "(hidden)" if _secret(field) else _shown(error.get("input"))
    return f"{name}: saw {seen}, wants: {_wants(str(error['msg']))}{about}"


def variable(cls: type[BaseModel], place: Iterable[str]) -> str:
    """The environment variable of a field, e.g. `INTAKE_POSTGRES__PORT`."""
    prefix = str(cls.model_config.get("env_prefix", ""))
    delimiter = str(cls.model_config.get("env_nested_delimiter") or "__")
    return prefix + delimiter.join(part.upper() for part in place)


def _wants(message: str) -> str:
    return message.removeprefix("Value error, ").removeprefix("Input should be ")


def _shown(value: object) -> str:
    # A whole part of the settings may hold secrets; only plain values are shown.
    return repr(value) if isinstance(value, str | int | float | bool) else "a part that does not fit together"


def _field_at(cls: type[BaseModel], place: Iterable[str]) -> FieldInfo | None:
    model: type[BaseModel] | None = cls
    field = None
    for part in place:
        if model is None or part not in model.model_fields:
            return field
        field = model.model_fields[part]
        model = part_of(field)
    return field


def part_of(field: FieldInfo) -> type[BaseModel] | None:
    """The model of a nested part of the settings, None for a plain value."""
    for candidate in (field.annotation, *get_args(field.annotation)):
        if isinstance(candidate, type) and issubclass(candidate, BaseModel):
            return candidate
    return None


def _secret(field: FieldInfo | None) -> bool:
    if field is None:
        return False
    return any(kind in {SecretStr, SecretBytes} for kind in (field.annotation, *get_args(field.annotation)))


def variables(cls: type[BaseModel], place: tuple[str, ...] = ()) -> Iterator[tuple[str, FieldInfo]]:
    """Every variable the settings are read from, nested parts included, with its field."""
    for name, field in cls.model_fields.items():
        part = part_of(field)
        if part is None:
            yield "__".join((*place, name)).upper(), field
        else:
            yield from variables(part, (*place, name))


def _unknown(cls: type[BaseSettings], environment: Mapping[str, str]) -> Iterator[str]:
    prefix = str(cls.model_config.get("env_prefix", "")).upper()
    if not prefix or cls.model_config.get("extra") != "forbid":
        return
    known = {prefix + name for name, _ in variables(cls)}
    wholes = {prefix + name.upper() for name in cls.model_fields}
    for name in sorted(environment):
        if not name.startswith(prefix) or name in known | wholes or ANNOUNCED.fullmatch(name.removeprefix(prefix)):
            continue
        if any(name.startswith(whole + "__") and _open(cls, whole.removeprefix(prefix)) for whole in wholes):
            continue
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]}?" if near else f"one of {', '.join(sorted(known))}"
        yield f"{name}: no setting has this name, wants: {hint}"


def _open(cls: type[BaseModel], name: str) -> bool:
    """Whether a field is a mapping, whose keys are the user's."""
    field = next(field for key, field in cls.model_fields.items() if key.upper() == name)
    return part_of(field) is None
