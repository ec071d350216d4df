"""`POST /patients/$match`: who in the store is this person, for the other services and from outside."""

from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Request, Response

from services.intake import store as intake_store
from services.intake.feeds import FeedDirectory, unknown_sender
from services.intake.fhir.outcome import MEDIA_TYPE, FhirRoute
from services.intake.identity import joins, review_store, store
from services.intake.identity.blocking import keys_of
from services.intake.identity.fhir_match import (
    Asked,
    Found,
    UnreadableParametersError,
    best,
    bundle,
    read_parameters,
)
from services.intake.identity.scoring import score
from services.intake.identity.store import Keyed
from services.intake.identity.traits import traits_of
from services.intake.identity.weights import Weights
from services.intake.patient import values_of
from shared.http import Caller, Problem, Role, allow, audited_read
from shared.postgres import Database

Asker = Annotated[Caller, allow(Role.INTEGRATION, Role.OPS, Role.CARE_MANAGER)]
BODY_BYTES = 64 * 1024
NOBODY = "~"
"""Stands for the person asked about among the candidates; no patient has this id."""


def match_router(database: Database, feeds: FeedDirectory, weights: Weights) -> APIRouter:
    router = APIRouter(tags=["patients"], route_class=FhirRoute)

    @router.post("/patients/$match")
    async def match(request: Request, caller: Asker, feed: str | None = None) -> Response:
        """FHIR's operation `$match`. `feed` says whose identifier systems the Patient is written in.

        Answers patients of the caller's facilities alone; whoever is answered is in the audit log.
        """
        asked = await _read(request, feeds, feed)
        async with database.pool.acquire() as connection:
            found = await _find(connection, asked, weights)
            places = await review_store.places(connection, [one.patient.id for one in found])
            seen = [one for one in found if _may_see(caller, places.get(one.patient.id))]
            chosen = best(seen, asked)
            await audited_read(connection, caller, "patient.match", [one.patient.id for one in chosen], request)
        return Response(_json(bundle(chosen)), media_type=MEDIA_TYPE)

    return router


async def _read(request: Request, feeds: FeedDirectory, name: str | None) -> Asked:
    feed = feeds.named(name, "") if name else unknown_sender("")
    if feed is None:
        raise Problem(404, "No such feed", slug="unknown-feed")
    raw = await request.body()
    if len(raw) > BODY_BYTES:
        raise Problem(413, "A Patient to match is smaller than 64 KiB")
    try:
        return read_parameters(orjson.loads(raw), feed)
    except orjson.JSONDecodeError:
        raise Problem(400, "The body is not JSON", slug="unreadable-json") from None
    except UnreadableParametersError as wrong:
        raise Problem(400, "Not a request to match", str(wrong), slug="not-parameters") from None


async def _find(connection: Any, asked: Asked, weights: Weights) -> list[Found]:
    person = traits_of(asked.said)
    numbers = [(one.authority, one.type, one.value) for one in asked.numbers]
    known = set((await joins.records_of(connection, numbers)).values()) if numbers else set()
    keyed = [Keyed(key, NOBODY) for key in keys_of(person, weights.placeholders)]
    pairs = await store.candidates(connection, keyed, weights.block_most) if keyed else []
    wanted = known | {who for pair in pairs for who in pair if who != NOBODY}
    surviving = await store.survivors(connection, wanted)
    people = await intake_store.load_patients(connection, set(surviving.values()))
    own = {surviving.get(one, one) for one in known}
    found: list[Found] = []
    for patient in people.values():
        # Numbers decide by themselves; what they say must not weigh twice.
        scored = score(person._replace(numbers=frozenset()), traits_of(values_of(patient.record)), weights)
        if patient.id in own:
            found.append(Found(patient.summary(), None))
        elif scored:
            found.append(Found(patient.summary(), scored))
    return found


def _may_see(caller: Caller, place: dict[str, Any] | None) -> bool:
    return any(map(caller.reaches, place["facilities"])) if place else not caller.is_bound


def _json(body: dict[str, Any]) -> bytes:
    return orjson.dumps(body)
