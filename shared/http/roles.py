"""Who calls: the roles of the house and the caller a token speaks for."""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict


class Role(StrEnum):
    INTEGRATION = "integration"
    PROVIDER = "provider-system"
    CARE_MANAGER = "care-manager"
    OPS = "ops"
    AUDITOR = "auditor"
    ADMIN = "admin"


class Caller(BaseModel):
    """What a valid token says. Each bound that it names holds: `facilities` (none named: any), `organisation` (none
    named: any). What is of no known organisation is nothing to a caller who is bound to one. `care_roles`: the owner
    roles whose tasks are the caller's own work, as its token names them (none named: care-manager); no bound.
    """

    model_config = ConfigDict(frozen=True)

    subject: str
    roles: frozenset[Role]
    organisation: str | None = None
    facilities: frozenset[str] = frozenset()
    care_roles: frozenset[str] = frozenset()

    @property
    def is_bound(self) -> bool:
        """Whether the token narrows what its roles may do to facilities or to an organisation."""
        return bool(self.facilities) or self.organisation is not None

    def sees(self, facility: str, *organisations: str | None) -> bool:
        """Whether rows of this facility, which concern these organisations, may be shown to the caller."""
        return (not self.facilities or facility in self.facilities) and (
            self.organisation is None or self.organisation in organisations
        )

    def reaches(self, *facilities: str) -> bool:
        """Whether the caller may touch what is of all these facilities and of no organisation: feeds and their
        messages. Who is bound to an organisation and to no facility reaches none.
        """
        return not self.is_bound or (bool(self.facilities) and self.facilities.issuperset(facilities))

    def acts_for(self, organisation: str) -> bool:
        """Whether the caller may touch what belongs to the organisation: its own, or any for those bound to none."""
        return self.organisation == organisation or (self.organisation is None and Role.PROVIDER not in self.roles)
