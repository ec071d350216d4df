"""The routes of notifications."""

from fastapi import APIRouter

from services.notifications.acting import Wake
from services.notifications.api.deliveries import deliveries_router
from services.notifications.api.endpoints import endpoints_router
from services.notifications.api.notices import notices_router
from services.notifications.api.rosters import rosters_router
from services.notifications.posting import Poster
from services.notifications.signing import SecretBox
from shared.postgres import Database


def routers(database: Database, box: SecretBox, poster: Poster, wake: Wake, *, private: bool) -> list[APIRouter]:
    """`private`: whether endpoints may have private addresses and plain HTTP."""
    return [
        endpoints_router(database, box, poster, wake, private=private),
        deliveries_router(database, wake),
        notices_router(database),
        rosters_router(database),
    ]


__all__ = ["routers"]
