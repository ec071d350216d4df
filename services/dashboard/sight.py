"""What a caller may see: whose names, which facilities. Ops teams work on ids; names are for those who care."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from uuid import UUID

from services.dashboard.row import Row
from services.dashboard.store import Connection, board
from shared.http import Caller, Problem, Role


@dataclass(frozen=True, slots=True)
class Sight:
    names: bool
    facilities: tuple[str, ...] | None
    """None means every facility."""
    organisation: str | None = None
    """None means every organisation."""

    @property
    def is_whole(self) -> bool:
        return self.facilities is None and self.organisation is None

    def covers(self, facility: str, organisation: str | None) -> bool:
        return (self.facilities is None or facility in self.facilities) and (
            self.organisation is None or self.organisation == organisation
        )


def sight_of(caller: Caller) -> Sight:
    names = bool(caller.roles & {Role.CARE_MANAGER, Role.ADMIN})
    return Sight(names, tuple(sorted(caller.facilities)) or None, caller.organisation)


def masked(patient_id: str) -> str:
    """A handle for people who may not know the name: the end of the opaque id, which alone differs visibly."""
    return f"Patient …{patient_id[-6:]}"


@dataclass(frozen=True, slots=True)
class Who:
    """A patient as the page may show them. `about` (born, sex) and `phone` are empty when masked."""

    patient_id: str
    name: str
    about: str = ""
    phone: str = ""
    masked: bool = True


async def who_are(connection: Connection, sight: Sight, patients: Iterable[str]) -> dict[str, Who]:
    """The patients as this caller may see them. Who may not see names causes no read of them."""
    wanted = set(patients)
    known: Mapping[str, Row] = await board.names(connection, wanted) if sight.names and wanted else {}
    return {patient_id: _who(patient_id, known.get(patient_id)) for patient_id in wanted}


def _who(patient_id: str, person: Row | None) -> Who:
    if person is None:
        return Who(patient_id, masked(patient_id))
    parts = (person["birth_date"] and f"born {person['birth_date']}", person["sex"], person["deceased"] and "deceased")
    about = ", ".join(part for part in parts if part)
    return Who(patient_id, person["name"], about, person["phone"] or "", masked=False)


def uuid_or_none(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


async def check_reach(connection: Connection, caller: Caller, rows: Iterable[Row]) -> None:
    """Callers who are bound see the history of stays within their bounds. Raises Problem 404 for anything else."""
    sight = sight_of(caller)
    if sight.is_whole:
        return
    for correlation in {row["correlation"] for row in rows}:
        stay = uuid_or_none(correlation)
        place = await board.place_of(connection, stay) if stay else None
        if place is None or not sight.covers(place["facility"], place["pcp_organisation"]):
            raise Problem(404, "There is no such event here", slug="unknown-event")
