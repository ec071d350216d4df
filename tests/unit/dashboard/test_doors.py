"""Who may open the pages of worklists, referrals, patients at home and notices, and who may act on them."""

import pytest
from fastapi import FastAPI

from services.dashboard.pages import monitoring, notices, referrals, requesting, risk, work
from shared.http import Role
from shared.http.policy import guarded_routes

CARE = {Role.CARE_MANAGER}
READ = {Role.CARE_MANAGER, Role.AUDITOR}
SIDES = {Role.CARE_MANAGER, Role.PROVIDER}
OWN = {Role.PROVIDER}
DOORS = {
    ("GET", "/work"): CARE,
    ("POST", "/work/preview"): CARE,
    ("POST", "/work/many"): CARE,
    ("GET", "/referrals"): READ | SIDES,
    ("GET", "/referrals/unmatched"): READ,
    ("GET", "/referrals/{referral_id}"): READ | SIDES,
    ("POST", "/referrals/{referral_id}/steps/{step}"): SIDES,
    ("POST", "/referrals/{referral_id}/reroute"): CARE,
    ("POST", "/referrals/{referral_id}/duplicate"): CARE,
    ("GET", "/transitions/{transition_id}/referrals"): CARE,
    ("POST", "/transitions/{transition_id}/referrals"): CARE,
    ("GET", "/transitions/{transition_id}/risk"): READ,
    ("POST", "/transitions/{transition_id}/risk"): CARE,
    ("GET", "/monitoring"): READ,
    ("GET", "/transitions/{transition_id}/monitoring"): READ,
    ("POST", "/transitions/{transition_id}/monitoring"): CARE,
    ("POST", "/transitions/{transition_id}/monitoring/stop"): CARE,
    ("POST", "/monitoring/alerts/{alert_id}/acknowledge"): CARE,
    ("GET", "/notices"): OWN,
    ("GET", "/notices/{delivery_id}"): OWN,
    ("POST", "/notices/{delivery_id}/acknowledge"): OWN,
    ("POST", "/notices/{delivery_id}/redeliver"): OWN,
    ("POST", "/notices/endpoints/{endpoint_id}/{action}"): OWN,
}


@pytest.fixture(scope="module")
def pages() -> FastAPI:
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    for page in (work, referrals, requesting, risk, monitoring, notices):
        app.include_router(page.router)
    return app


def test_every_door_opens_to_those_who_need_it_and_to_no_one_else(pages: FastAPI) -> None:
    found: dict[tuple[str, str], frozenset[Role] | None] = {
        (method, route.path): route.roles for route in guarded_routes(pages) for method in route.methods - {"HEAD"}
    }
    assert found == {door: frozenset(roles | {Role.ADMIN}) for door, roles in DOORS.items()}
