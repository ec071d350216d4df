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
    """What a valid token says. `facilities` empty means all; `organisation` binds a provider's system to its own."""

    model_config = ConfigDict(frozen=True)

    subject: str
    roles: frozenset[Role]
    organisation: str | None = None
    facilities: frozenset[str] = frozenset()

    def sees(self, facility: str) -> bool:
        """Whether rows of this facility may be shown to the caller."""
        return not self.facilities or facility in self.facilities

    def acts_for(self, organisation: str) -> bool:
        """Whether the caller may touch what belongs to the organisation: its own, or any for those bound to none."""
        return self.organisation == organisation or (self.organisation is None and Role.PROVIDER not in self.roles)
