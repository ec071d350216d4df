"""FHIR's routes: `/fhir/{feed}` is the base of one feed's server."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import JSONResponse

from services.intake.feeds import FeedDirectory
from services.intake.fhir.outcome import MEDIA_TYPE, FhirRoute, answer
from services.intake.fhir.reading import FOCUSES, read_fhir
from services.intake.message import Outcome
from services.intake.offering import feed_for, settle
from services.intake.receiving import Reception
from shared.http import Caller, Problem, Role, allow

Sender = Annotated[Caller, allow(Role.INTEGRATION)]
FeedName = Annotated[str, Path(max_length=100)]
BUNDLE_BYTES = 5 * 1024 * 1024
_MEDIA_TYPES = {"application/fhir+json", "application/json", "text/json"}


def fhir_router(feeds: FeedDirectory, reception: Reception) -> APIRouter:
    router = APIRouter(prefix="/fhir/{feed}", tags=["fhir"], route_class=FhirRoute)

    @router.get("/metadata")
    async def metadata(feed: FeedName, caller: Sender) -> Response:
        """The CapabilityStatement of this base."""
        feed_for(feeds, feed, caller)
        return JSONResponse(_capabilities(), media_type=MEDIA_TYPE)

    @router.post("/$process-message")
    async def process_message(feed: FeedName, request: Request, caller: Sender) -> Response:
        """A message Bundle: Da Vinci Alerts notifications, or ADT triggers as event codes."""
        return await _take(feeds, reception, feed, request, caller, "Bundle")

    @router.post("/Patient/$merge")
    async def merge(feed: FeedName, request: Request, caller: Sender) -> Response:
        """Parameters that name a source, which retires, and a target, which goes on: as A40. No preview."""
        return await _take(feeds, reception, feed, request, caller, "Parameters")

    @router.post("/{resource_type}")
    async def create(feed: FeedName, resource_type: str, request: Request, caller: Sender) -> Response:
        """One resource that says how things stand."""
        _check_type(resource_type)
        return await _take(feeds, reception, feed, request, caller, resource_type)

    @router.put("/{resource_type}/{resource_id}")
    async def update(
        feed: FeedName, resource_type: str, resource_id: str, request: Request, caller: Sender
    ) -> Response:
        """As POST; the id in the address must be the resource's own."""
        _check_type(resource_type)
        return await _take(feeds, reception, feed, request, caller, resource_type, resource_id)

    return router


def _check_type(resource_type: str) -> None:
    if resource_type not in FOCUSES:
        raise Problem(404, detail=f"taken here: {', '.join(FOCUSES)}, and $process-message", slug="unknown-resource")


async def _take(
    feeds: FeedDirectory,
    reception: Reception,
    name: str,
    request: Request,
    caller: Caller,
    wanted: str,
    resource_id: str | None = None,
) -> Response:
    feed = feed_for(feeds, name, caller)
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() not in _MEDIA_TYPES:
        raise Problem(415, detail="send application/fhir+json", slug="unsupported-media-type")
    raw = await request.body()
    read = read_fhir(raw, feed, feeds, wanted=wanted, resource_id=resource_id)
    verdict = await settle(reception, read.arrival)
    stored = str(read.arrival.id) if verdict.outcome is not Outcome.DUPLICATE else None
    return answer(verdict, read.issues, stored)


def _capabilities() -> dict[str, Any]:
    interactions = [{"code": "create"}, {"code": "update"}]
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "kind": "instance",
        "date": "2026-11-01",
        "fhirVersion": "4.0.1",
        "format": [MEDIA_TYPE],
        "rest": [
            {
                "mode": "server",
                "resource": [{"type": name, "interaction": interactions} for name in FOCUSES],
                "operation": [
                    {
                        "name": "process-message",
                        "definition": "http://hl7.org/fhir/OperationDefinition/MessageHeader-process-message",
                    }
                ],
            }
        ],
    }
