"""The routes of messages as the service has them, for a running intake of a test."""

from fastapi import APIRouter

from services.intake.api import messages_router
from services.intake.correcting import Corrector
from services.intake.log_api import log_router
from services.intake.replay_api import replay_router
from services.intake.replay_runs import ReplayRuns
from services.intake.sealing import Seal
from tests.integration.intake.conftest import KEY, Intake


def runs_of(intake: Intake) -> ReplayRuns:
    return ReplayRuns(intake.database, Corrector(intake.database, intake.feeds, Seal(KEY)), intake.reception)


def message_routers(intake: Intake) -> list[APIRouter]:
    """Sending, looking, and deciding."""
    corrector = Corrector(intake.database, intake.feeds, Seal(KEY))
    return [
        messages_router(intake.feeds, intake.reception),
        log_router(intake.database, intake.feeds, Seal(KEY), intake.working_off.caught_up),
        replay_router(intake.database, corrector, intake.reception, runs_of(intake)),
    ]
