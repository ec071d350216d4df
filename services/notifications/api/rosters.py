"""The roster, read and replaced, and which organisations have a topic of their own."""

from typing import Annotated

from fastapi import APIRouter, Request

from services.notifications.api.models import RosterLoaded, ShownRoster
from services.notifications.notices import provider_topic
from services.notifications.roster import Roster
from services.notifications.rostering import RemovesTooMuchError, load_roster
from services.notifications.store import roster as store
from shared.http import Caller, Problem, Role, allow, audited
from shared.postgres import Database

Operator = Annotated[Caller, allow(Role.OPS)]
Reader = Annotated[Caller, allow(Role.OPS, Role.AUDITOR, Role.CARE_MANAGER)]
Administrator = Annotated[Caller, allow(Role.ADMIN)]


def rosters_router(database: Database) -> APIRouter:
    router = APIRouter(tags=["roster"])

    @router.put("/roster")
    async def replace(roster: Roster, caller: Operator, request: Request, *, confirm: bool = False) -> RosterLoaded:
        """A full roster in place of the one before; one that removes more than a fifth needs `confirm=true`."""
        async with database.transaction() as tx:
            try:
                loaded = await load_roster(tx, roster, by=caller.subject, confirmed=confirm)
            except RemovesTooMuchError as refused:
                raise Problem(
                    409,
                    "The roster removes more than a fifth of what is known",
                    "If that is meant, repeat with confirm=true.",
                    slug="roster-removes-too-much",
                    known=refused.before,
                    removed=refused.gone,
                ) from None
            await audited(tx.connection, caller, "roster.replace", [], request, outcome=f"version {loaded.version}")
        return RosterLoaded(version=loaded.version, memberships=loaded.memberships, removed=loaded.removed)

    @router.get("/roster")
    async def roster(_caller: Reader) -> ShownRoster:
        async with database.pool.acquire() as connection:
            latest = await store.latest(connection)
            listed = await store.listed(connection)
        return ShownRoster(latest=dict(latest) if latest else None, organisations=[dict(row) for row in listed])

    @router.get("/provisioning")
    async def provisioning(_caller: Administrator) -> dict[str, list[dict[str, str]]]:
        """What `handoff provision` must create: a topic per organisation, readable by that organisation alone."""
        slugs = await store.with_topics(database.pool)
        return {"organisations": [{"organisation": slug, "topic": provider_topic(slug)} for slug in slugs]}

    return router
