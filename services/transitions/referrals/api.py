"""The routes of referrals: the list, one referral with all its deeds, and what either side may do."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self, get_args
from uuid import UUID

from fastapi import APIRouter, Header, Query, Request
from pydantic import Field, model_validator

from services.transitions.acting import Act
from services.transitions.answers import Instant, act_of, answered, must_be_past, place_in, unknown
from services.transitions.referrals import acting, lists, store
from services.transitions.referrals.acting import Step
from services.transitions.referrals.lists import ReferralsWanted
from services.transitions.referrals.loop import levels_of, steps_of
from services.transitions.referrals.referral import Referral
from services.transitions.referrals.rules import LoopRules, Priority
from services.transitions.referrals.states import WHO, Kind, Side, State
from shared.http import Caller, Problem, Role, StrictModel, allow, audited, audited_read
from shared.metrics import REFERRAL_DUPLICATES
from shared.postgres import Database

Reader = Annotated[Caller, allow(Role.CARE_MANAGER, Role.PROVIDER, Role.AUDITOR)]
Watcher = Annotated[Caller, allow(Role.CARE_MANAGER, Role.AUDITOR)]
Requester = Annotated[Caller, allow(Role.CARE_MANAGER)]
Actor = Annotated[Caller, allow(Role.CARE_MANAGER, Role.PROVIDER)]
Word = Annotated[str, Field(min_length=1, max_length=200)]
Text = Annotated[str, Field(min_length=1, max_length=500)]
Once = Annotated[str | None, Header(alias="Idempotency-Key", max_length=200)]
Limit = Annotated[int, Query(ge=1, le=200)]
EXPLAINED = frozenset(
    {
        Kind.REJECT,
        Kind.FAIL,
        Kind.HOLD,
        Kind.CANCEL,
        Kind.REQUEST_CANCEL,
        Kind.DENY_CANCEL,
        Kind.CLOSE_UNMET,
        Kind.ERROR,
    }
)
ByApi = Literal[
    "request", "receive", "accept", "reject", "schedule", "cancel-appointment", "no-show", "attend", "start", "hold",
    "resume", "fail", "complete", "result", "acknowledge", "request-cancel", "cancel", "deny-cancel", "close-unmet",
    "error",
]  # fmt: skip
BY_SYSTEM = frozenset(get_args(ByApi))
"""What a provider's system may do, on its side; routing anew and deciding on duplicates are a care manager's."""


class NewReferral(StrictModel):
    """`repeat_reason` says why the same service is asked for again within its look-back; without it such a referral
    is held as a suspected duplicate (never a stat one). A `draft` asks nobody yet.
    """

    service: Word
    service_code: Word | None = None
    priority: Priority = Priority.ROUTINE
    performer: Word
    requester: Word | None = None
    expires_at: Instant | None = None
    reason: Text | None = None
    repeat_reason: Text | None = None
    draft: bool = False

    def terms(self) -> dict[str, Any]:
        return self.model_dump(mode="json", exclude={"repeat_reason", "draft"}, exclude_none=True)


class Doing(StrictModel):
    """`version` is the one the person saw; `at` is when it happened (now, unless said), with its offset."""

    version: int = Field(ge=1)
    at: Instant | None = None
    reason: Text | None = None
    scheduled_at: Instant | None = None
    outcome: Text | None = None

    def said(self) -> dict[str, Any]:
        return self.model_dump(mode="json", include={"reason", "scheduled_at", "outcome"}, exclude_none=True)


class Rerouting(StrictModel):
    version: int = Field(ge=1)
    performer: Word
    reason: Text


class Deciding(StrictModel):
    """`link`: the existing one serves; `cancel`: not wanted after all; `repeat`: justified, for this reason."""

    version: int = Field(ge=1)
    decision: Literal["link", "cancel", "repeat"]
    existing: UUID | None = None
    reason: Text

    @model_validator(mode="after")
    def _linked_to_one(self) -> Self:
        if self.decision == "link" and self.existing is None:
            raise ValueError("link needs the existing referral")
        return self


def referrals_router(database: Database, rules: LoopRules) -> APIRouter:
    router = APIRouter(tags=["referrals"])
    _add_lists(router, database)
    _add_one(router, database, rules)
    _add_requesting(router, database, rules)
    _add_steps(router, database, rules)
    return router


def _add_lists(router: APIRouter, database: Database) -> None:
    @router.get("/referrals")
    async def referrals(  # noqa: PLR0917
        caller: Reader,
        request: Request,
        state: State | None = None,
        priority: Priority | None = None,
        patient: str | None = None,
        organisation: str | None = None,
        held: bool | None = None,  # noqa: FBT001
        is_open: bool | None = None,  # noqa: FBT001
        overdue: bool = False,  # noqa: FBT001, FBT002
        before: str | None = None,
        limit: Limit = 50,
    ) -> dict[str, Any]:
        """Last changed first; `held`: suspected duplicates that wait; `overdue`: somebody's turn is over."""
        wanted = ReferralsWanted(
            state=state.value if state else None,
            priority=priority.value if priority else None,
            patient=patient,
            facilities=tuple(sorted(caller.facilities)),
            organisation=_bound_to(caller) or organisation,
            held=held,
            is_open=is_open,
            overdue=overdue,
            before=place_in("before", before),
            limit=limit,
        )
        async with database.pool.acquire() as connection:
            items = await lists.referrals(connection, wanted)
            await audited_read(connection, caller, "referrals listed", [i["patient_id"] for i in items], request)
        last = items[-1] if len(items) == limit else None
        return {"items": items, "next": f"{last['changed_at'].isoformat()}_{last['id']}" if last else None}

    @router.get("/referrals/unmatched")
    async def unmatched(
        caller: Watcher, request: Request, before: str | None = None, limit: Limit = 50
    ) -> dict[str, Any]:
        """Appointments, documents and results that name an order nobody has heard of, newest first. Each waits for its
        referral, and counts from when it was done once that comes.
        """
        facilities, place = tuple(sorted(caller.facilities)), place_in("before", before)
        async with database.pool.acquire() as connection:
            items = await lists.unmatched(connection, facilities, caller.organisation, place, limit)
            await audited_read(connection, caller, "unmatched listed", [i["patient_id"] for i in items], request)
        last = items[-1] if len(items) == limit else None
        return {"items": items, "next": f"{last['at'].isoformat()}_{last['event_id']}" if last else None}


def _add_one(router: APIRouter, database: Database, rules: LoopRules) -> None:
    @router.get("/referrals/{referral_id}")
    async def referral(referral_id: UUID, caller: Reader, request: Request) -> dict[str, Any]:
        """With all its deeds, the levels of its clock, and `may`: the steps that are the caller's to take now."""
        async with database.pool.acquire() as connection:
            found = await lists.referral(connection, referral_id)
            if found is None or not _may_see(caller, found):
                raise unknown()
            if _bound_to(caller) is not None:
                found["existing"] = None  # between whom another one stands is none of their business
            [standing] = await store.load(connection, [], [referral_id])
            levels = levels_of(standing, rules, await lists.timers(connection, referral_id))
            await audited_read(connection, caller, "referral opened", [found["patient_id"]], request)
        shown = {"strikes": standing.strikes, "proofs": sorted(standing.proofs), "since": standing.since}
        return {**found, **shown, "levels": levels, "may": _steps(caller, found, standing)}


def _add_requesting(router: APIRouter, database: Database, rules: LoopRules) -> None:
    @router.post("/transitions/{transition_id}/referrals", status_code=201)
    async def request_referral(
        transition_id: UUID, body: NewReferral, caller: Requester, request: Request, key: Once = None
    ) -> dict[str, Any]:
        async with database.transaction() as tx:
            act = await act_of(tx, caller, request, key)
            asked = acting.request(
                tx, rules, transition_id, act, body.terms(), repeat=body.repeat_reason, draft=body.draft
            )
            made = await answered(asked)
            await audited(tx.connection, caller, "referral requested", [made.patient_id], request)
        return _told(made)

    @router.post("/referrals/{referral_id}/reroute", status_code=201)
    async def reroute(
        referral_id: UUID, body: Rerouting, caller: Requester, request: Request, key: Once = None
    ) -> dict[str, Any]:
        async with database.transaction() as tx:
            act = await act_of(tx, caller, request, key)
            said = {"performer": body.performer, "reason": body.reason}
            step = Step(kind=Kind.REROUTE, version=body.version, at=act.at, said=said)
            old, new = await answered(acting.reroute(tx, rules, referral_id, act, step))
            await audited(tx.connection, caller, "referral rerouted", [old.patient_id], request)
        return {"rerouted": _told(old), "replacement": _told(new)}

    @router.post("/referrals/{referral_id}/duplicate")
    async def duplicate(
        referral_id: UUID, body: Deciding, caller: Requester, request: Request, key: Once = None
    ) -> dict[str, Any]:
        async with database.transaction() as tx:
            act = await act_of(tx, caller, request, key)
            said: dict[str, Any] = {"reason": f"{body.decision}: {body.reason}"}
            if body.existing is not None:
                said["duplicate_of"] = str(body.existing)
            kind = Kind.REPEAT if body.decision == "repeat" else Kind.CANCEL
            step = Step(kind=kind, version=body.version, at=act.at, said=said)
            after, is_new = await answered(acting.decide_duplicate(tx, rules, referral_id, act, step))
            await audited(tx.connection, caller, "duplicate decided", [after.patient_id], request)
        if is_new:
            REFERRAL_DUPLICATES.labels(body.decision).inc()
        return _told(after)


def _add_steps(router: APIRouter, database: Database, rules: LoopRules) -> None:
    @router.post("/referrals/{referral_id}/{step}")
    async def take(
        referral_id: UUID, step: ByApi, body: Doing, caller: Actor, request: Request, key: Once = None
    ) -> dict[str, Any]:
        kind = Kind(step)
        _must_fit(kind, body)
        async with database.transaction() as tx:
            found = await lists.referral(tx.connection, referral_id)
            if found is None or not _may_see(caller, found):
                raise unknown()
            _must_be_theirs(kind, caller, found)
            act = await act_of(tx, caller, request, key)
            taken = Step(kind=kind, version=body.version, at=_when(body.at, act), said=body.said())
            after = await answered(acting.take_step(tx, rules, referral_id, act, taken))
            await audited(tx.connection, caller, "referral changed", [after.patient_id], request)
        return _told(after)


def _must_fit(kind: Kind, body: Doing) -> None:
    missing = "reason" if kind in EXPLAINED and not body.reason else None
    missing = "scheduled_at" if kind is Kind.SCHEDULE and body.scheduled_at is None else missing
    missing = "outcome" if kind is Kind.COMPLETE and not body.outcome else missing
    if missing:
        detail = f"{kind.value} needs {missing}"
        raise Problem(422, "The request does not fit", detail, slug="invalid-request", field=f"body.{missing}")


def _when(said: datetime | None, act: Act) -> datetime:
    if said is not None:
        must_be_past(said, act.at)
    return said or act.at


def _bound_to(caller: Caller) -> str | None:
    """The organisation that the caller is bound to, as performer or requester; a provider's system always is."""
    if Role.PROVIDER in caller.roles and not caller.roles & {Role.CARE_MANAGER, Role.ADMIN}:
        return caller.organisation or "(none)"
    return caller.organisation


def _may_see(caller: Caller, found: dict[str, Any]) -> bool:
    bound, sides = _bound_to(caller), (found["performer"], found["requester"])
    return caller.sees(found["facility"], *sides) and (bound is None or bound in sides)


def _steps(caller: Caller, found: dict[str, Any], standing: Referral) -> list[str]:
    """What the caller may do now; who only reads may do nothing."""
    if not caller.roles & {Role.CARE_MANAGER, Role.PROVIDER, Role.ADMIN}:
        return []
    bound = _bound_to(caller)
    if bound is None:
        return steps_of(standing, frozenset(Side))
    both = {Side.PERFORMER: found["performer"], Side.REQUESTER: found["requester"]}
    own = frozenset(side for side, who in both.items() if who == bound)
    by_person = bool(caller.roles & {Role.CARE_MANAGER, Role.ADMIN})
    return [step for step in steps_of(standing, own) if by_person or step in BY_SYSTEM]


def _must_be_theirs(kind: Kind, caller: Caller, found: dict[str, Any]) -> None:
    """Who is bound to an organisation does what its side may: the performer performs, the requester requests."""
    bound, side = _bound_to(caller), WHO[kind]
    if bound is None or side is Side.EITHER:
        return
    if found[side.value] != bound:
        raise Problem(403, f"Only the {side.value} may do this", slug="forbidden")


def _told(referral: Referral) -> dict[str, Any]:
    return {
        "id": referral.id,
        "version": referral.version,
        "state": referral.state,
        "held": referral.is_held,
        "duplicate_of": referral.terms.duplicate_of,
        "strikes": referral.strikes,
        "proofs": sorted(referral.proofs),
        "terms": referral.terms.model_dump(mode="json", exclude_none=True),
    }
