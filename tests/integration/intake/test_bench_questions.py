"""What the bench asks of a log of ten million rows can be asked of the tables as they are now."""

from deploy.bench import log_plans
from deploy.bench.log import month_before_today
from deploy.bench.log_questions import Questions
from tests.integration.intake.conftest import Intake


async def test_the_questions_of_the_bench_are_answered(intake: Intake) -> None:
    listed = Questions(1_000, month_before_today()).listed()
    questions = {kind: log_plans.statement(ask()) for kind, ask in listed.items()} | log_plans.own_questions()
    async with intake.database.pool.acquire() as connection:
        pages = {kind: (await log_plans.way(connection, *asked)).pages for kind, asked in questions.items()}
    assert len(pages) > len(listed)
    assert max(pages.values()) < log_plans.ASKED_PAGES
