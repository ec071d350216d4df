"""The routes of quality: measures, their figures, the patients behind each, as JSON, CSV and FHIR MeasureReport."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import Field

from services.transitions.answers import place_in
from services.transitions.quality import store
from services.transitions.quality.expected import ExpectedTable
from services.transitions.quality.figure import Figure, Side
from services.transitions.quality.figures import Wanted, figures, listed, overview
from services.transitions.quality.measures import Measure, Measures
from services.transitions.quality.outcome import Status
from services.transitions.quality.report import measure_report
from services.transitions.quality.sheet import figures_sheet, patients_sheet
from shared.http import Caller, Problem, Role, StrictModel, allow, audited_read
from shared.postgres import Database

if TYPE_CHECKING:
    from shared.postgres.transaction import Connection

Looker = Annotated[Caller, allow(Role.CARE_MANAGER, Role.OPS, Role.AUDITOR)]
Reader = Annotated[Caller, allow(Role.CARE_MANAGER, Role.AUDITOR)]
Month = Annotated[str, Field(pattern=r"^20[0-9]{2}-(0[1-9]|1[0-2])$")]
# A NUL is no text to PostgreSQL.
Name = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\x00]+$")]
FHIR = "application/fhir+json"
MONTHS = 12
MOST_SUBJECTS = 5000


class Asking(StrictModel):
    """Local months, both counted (the last twelve, unless said), and whose figures: `none` asks for those without."""

    since: Month | None = None
    until: Month | None = None
    facility: Name | None = None
    organisation: Name | None = None
    protocol: Name | None = None

    def wanted(self, caller: Caller) -> Wanted:
        ends = _after(self.until or f"{datetime.now(UTC):%Y-%m}")
        begins = date.fromisoformat(f"{self.since}-01") if self.since else ends.replace(year=ends.year - 1)
        if begins >= ends:
            wants = "since is no later than until"
            raise Problem(422, "The request does not fit", wants, slug="invalid-request", field="query.since")
        return Wanted(
            since=begins,
            until=ends,
            facility=self.facility,
            organisation=self.organisation,
            protocol=self.protocol,
            facilities=tuple(sorted(caller.facilities)),
            bound_to=caller.organisation,
        )


class FiguresAsked(Asking):
    measure: tuple[Name, ...] = Field(default=(), max_length=50)
    by: tuple[Side, ...] = Field(default=(), max_length=4)


class PatientsAsked(Asking):
    status: Status | None = None
    before: str | None = Field(default=None, max_length=100)
    limit: int = Field(default=50, ge=1, le=1000)


class ReportAsked(Asking):
    type: Literal["summary", "subject-list"] = "summary"
    by: tuple[Side, ...] = Field(default=(), max_length=4)


def quality_router(database: Database, measures: Measures) -> APIRouter:
    router = APIRouter(tags=["quality"])
    _add_figures(router, database, measures)
    _add_patients(router, database, measures)
    _add_report(router, database, measures)
    return router


def _add_figures(router: APIRouter, database: Database, measures: Measures) -> None:
    @router.get("/quality/measures")
    async def every_measure(_: Looker) -> dict[str, Any]:
        """What is counted: each measure with its version, source, and what the events can't tell."""
        return {"edition": measures.edition, "items": [_defined(one) for one in measures.by_id.values()]}

    @router.get("/quality/measures/{measure_id}")
    async def one_measure(measure_id: str, _: Looker) -> dict[str, Any]:
        """With its whole definition: population, exclusions, numerator; and the tables of expected rates in force."""
        one = _known(measures, measure_id)
        told = {"definition": one.model_dump(mode="json", exclude_none=True)}
        return {**_defined(one), **told, "expected": [_table(each) for each in measures.expected.of(measure_id)]}

    @router.get("/quality/figures")
    async def every_figure(asked: Annotated[FiguresAsked, Query()], caller: Looker) -> dict[str, Any]:
        """Figures by measure and by the sides asked for. Only what's closed is in a denominator; `waiting` changes are
        not counted yet.
        """
        async with database.pool.acquire() as connection:
            found, wanted = await _figures(connection, measures, asked, caller)
            behind = await store.waiting(connection)
        return {"since": wanted.since, "until": wanted.until, "waiting": behind, "items": _each(measures, found)}

    @router.get("/quality/overview")
    async def every_total(asked: Annotated[Asking, Query()], caller: Looker) -> dict[str, Any]:
        """Every measure in all and by month (`months`, without spreads), as the page of all measures shows them."""
        wanted = asked.wanted(caller)
        async with database.pool.acquire() as connection:
            totals, months = await overview(connection, wanted)
            behind = await store.waiting(connection)
        told = {"items": _each(measures, totals), "months": _each(measures, months)}
        return {"since": wanted.since, "until": wanted.until, "waiting": behind, **told}

    @router.get("/quality/figures.csv")
    async def figures_csv(asked: Annotated[FiguresAsked, Query()], caller: Looker) -> Response:
        async with database.pool.acquire() as connection:
            found, _ = await _figures(connection, measures, asked, caller)
        return _sheet(figures_sheet(measures, found, asked.by), "quality-figures")


def _add_patients(router: APIRouter, database: Database, measures: Measures) -> None:
    async def page(
        measure_id: str, asked: PatientsAsked, caller: Caller, request: Request
    ) -> tuple[list[dict[str, Any]], str | None]:
        _known(measures, measure_id)
        place = place_in("before", asked.before)
        wanted = replace(
            asked.wanted(caller), measures=(measure_id,), status=asked.status, before=place, limit=asked.limit
        )
        async with database.pool.acquire() as connection:
            items = await listed(connection, wanted)
            shown = sorted({item["patient_id"] for item in items})
            await audited_read(connection, caller, "quality patients listed", shown, request)
        last = items[-1] if len(items) == asked.limit else None
        return items, f"{last['counted_at'].isoformat()}_{last['about']}" if last else None

    @router.get("/quality/measures/{measure_id}/patients")
    async def patients(
        measure_id: str, asked: Annotated[PatientsAsked, Query()], caller: Reader, request: Request
    ) -> dict[str, Any]:
        """Those behind the figure, counted last first: met, missed, pending or excluded, each with the reason."""
        items, following = await page(measure_id, asked, caller, request)
        return {"items": items, "next": following}

    @router.get("/quality/measures/{measure_id}/patients.csv")
    async def patients_csv(
        measure_id: str, asked: Annotated[PatientsAsked, Query()], caller: Reader, request: Request
    ) -> Response:
        """One page of it; the header `X-Next` is the next page's `before`."""
        items, following = await page(measure_id, asked, caller, request)
        answer = _sheet(patients_sheet(items), f"quality-{measure_id}")
        if following:
            answer.headers["x-next"] = following
        return answer


def _add_report(router: APIRouter, database: Database, measures: Measures) -> None:
    @router.get("/quality/measures/{measure_id}/report")
    async def report(
        measure_id: str, asked: Annotated[ReportAsked, Query()], caller: Reader, request: Request
    ) -> JSONResponse:
        """A FHIR R4 MeasureReport; a subject-list names every patient, so it asks for a period of 5,000 at most."""
        one = _known(measures, measure_id)
        expects = bool(measures.expected.of(measure_id))
        wanted = replace(asked.wanted(caller), measures=(measure_id,))
        subjects: list[dict[str, Any]] | None = None
        async with database.pool.acquire() as connection:
            at = await connection.fetchval("SELECT now()")
            sides = tuple(dict.fromkeys(asked.by))
            total = next(iter(await figures(connection, wanted, ())), Figure(measure_id, {}))
            strata = await figures(connection, wanted, sides) if sides else ()
            if asked.type == "subject-list":
                subjects = await listed(connection, replace(wanted, limit=MOST_SUBJECTS + 1))
                _must_be_listable(subjects)
                shown = sorted({item["patient_id"] for item in subjects})
                await audited_read(connection, caller, "quality patients listed", shown, request)
        said = measure_report(
            one, total, (wanted.since, wanted.until), at, strata=strata, subjects=subjects, expects=expects
        )
        return JSONResponse(said, media_type=FHIR)


async def _figures(
    connection: "Connection", measures: Measures, asked: FiguresAsked, caller: Caller
) -> tuple[Sequence[Figure], Wanted]:
    for named in asked.measure:
        _known(measures, named)
    wanted = replace(asked.wanted(caller), measures=asked.measure)
    found = await figures(connection, wanted, tuple(dict.fromkeys(asked.by)))
    return _of_today(measures, found), wanted


def _of_today(measures: Measures, found: Iterable[Figure]) -> list[Figure]:
    """Another edition may still be being counted out: what is no measure any more has no figure."""
    return [figure for figure in found if figure.measure in measures.by_id]


def _each(measures: Measures, found: Iterable[Figure]) -> list[Mapping[str, Any]]:
    return [_told(measures, figure) for figure in _of_today(measures, found)]


def _known(measures: Measures, measure_id: str) -> Measure:
    one = measures.by_id.get(measure_id)
    if one is None:
        raise Problem(404, "There is no such measure", slug="unknown-measure")
    return one


def _must_be_listable(subjects: Sequence[object]) -> None:
    if len(subjects) > MOST_SUBJECTS:
        wants = f"a subject-list holds {MOST_SUBJECTS} at most: ask for fewer months or one facility"
        raise Problem(422, "The list would be too long", wants, slug="list-too-long")


def _table(one: ExpectedTable) -> dict[str, Any]:
    said = one.model_dump(mode="json", exclude={"measures", "organisations", "rows"})
    rows = [row.model_dump(mode="json", exclude_defaults=True) for row in one.rows]
    return {**said, "measures": sorted(one.measures), "organisations": sorted(one.organisations), "rows": rows}


def _defined(one: Measure) -> dict[str, Any]:
    names = {"id", "family", "family_title", "version", "title", "source", "counts", "better", "unit", "cannot_know"}
    return one.model_dump(mode="json", include=names)


def _told(measures: Measures, figure: Figure) -> Mapping[str, Any]:
    one = measures.by_id[figure.measure]
    return {
        "measure": figure.measure,
        "version": one.version,
        "title": one.title,
        "better": one.better,
        "unit": one.unit,
        "group": figure.group,
        "population": figure.population,
        "excluded": figure.left_out,
        "denominator": figure.denominator,
        "numerator": figure.numerator,
        "rate": figure.rate,
        "pending": figure.pending,
        "pending_met": figure.pending_met,
        "median": figure.median,
        "p90": figure.p90,
        "expected": _expected(figure) if measures.expected.of(one.id) else None,
    }


def _expected(figure: Figure) -> Mapping[str, Any]:
    """Of those in the denominator whose rate is known; `unknown` are the others, of whom nothing is guessed."""
    told = figure.expectation
    return {
        "known": told.known,
        "unknown": figure.denominator - told.known,
        "observed": told.observed,
        "count": round(told.count, 4),
        "observed_to_expected": told.ratio,
        "incomplete": told.incomplete,
        "count_at_most": round(told.most, 4),
        "observed_to_expected_at_least": told.least_ratio,
    }


def _sheet(text: str, name: str) -> Response:
    headers = {"content-disposition": f'attachment; filename="{name}.csv"'}
    return Response(text, media_type="text/csv; charset=utf-8", headers=headers)


def _after(month: str) -> date:
    """The first day of the month after."""
    begins = date.fromisoformat(f"{month}-01")
    return date(begins.year + begins.month // 12, begins.month % 12 + 1, 1)
