"""SQL of figures: how many were counted, left out, met, by whichever side one looks at them; and who they are."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from services.transitions.quality.figure import Expectation, Figure, Side, added
from services.transitions.quality.outcome import Status

if TYPE_CHECKING:
    from shared.postgres.transaction import Connection


# Groups are told apart, not put in order: bytes are compared much sooner than words of a language.
COLUMN: Mapping[Side, str] = {
    Side.FACILITY: 'o.facility COLLATE "C"',
    Side.ORGANISATION: 'o.organisation COLLATE "C"',
    Side.PROTOCOL: 'p.protocol COLLATE "C"',
    Side.MONTH: "date_trunc('month', o.counted_on::timestamp)::date",
}
MEASURE = 'o.measure COLLATE "C"'
EACH_PROTOCOL = (
    "CROSS JOIN LATERAL unnest(CASE o.protocols WHEN '{}' THEN ARRAY[NULL] ELSE o.protocols END) AS p (protocol)"
)
CLOSED = "o.exclusion IS NULL AND o.closes_at <= now()"
FIGURES = f"""
SELECT {MEASURE}{{sides}}, o.exclusion, count(*) AS total,
    count(*) FILTER (WHERE {CLOSED}) AS denominator, count(*) FILTER (WHERE {CLOSED} AND o.met) AS numerator,
    count(*) FILTER (WHERE o.exclusion IS NULL AND o.closes_at > now() AND o.met) AS pending_met
FROM quality_outcome o {{joined}} WHERE {{where}} GROUP BY {{groups}}, o.exclusion
"""
# A year of a million outcomes is grouped and sorted in memory, not on disk.
ROOM = "SET LOCAL work_mem = '64MB'"
# A statement of its own: these have to be sorted, the counts above need not.
SPREADS = f"""
SELECT {MEASURE}{{sides}}, percentile_cont(ARRAY[0.5, 0.9]) WITHIN GROUP (ORDER BY o.value) AS spread
FROM quality_outcome o {{joined}} WHERE {{where}} AND {CLOSED} AND o.value IS NOT NULL GROUP BY {{groups}}
"""
EXPECTED = f"""
SELECT {MEASURE}{{sides}}, count(*) AS known, count(*) FILTER (WHERE o.met) AS observed, sum(o.expected) AS count,
    sum(o.expected_most) AS most, count(*) FILTER (WHERE o.expected_most > o.expected) AS incomplete
FROM quality_outcome o {{joined}} WHERE {{where}} AND {CLOSED} AND o.expected IS NOT NULL GROUP BY {{groups}}
"""
LISTED = """
SELECT o.about, o.patient_id, o.transition_id, o.facility, o.organisation, o.protocols, o.counted_at, o.counted_on,
    o.closes_at, o.exclusion, o.met, o.met_at, o.event_id, o.value, o.why, o.version,
    o.expected, o.expected_by, now() AS now
FROM quality_outcome o WHERE {where} ORDER BY o.counted_at DESC, o.about DESC LIMIT {limit}
"""
IS: Mapping[Status, str] = {
    Status.MET: f"{CLOSED} AND o.met",
    Status.MISSED: f"{CLOSED} AND NOT o.met",
    Status.PENDING: "o.exclusion IS NULL AND o.closes_at > now()",
    Status.EXCLUDED: "o.exclusion IS NOT NULL",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which outcomes: counted on a local day from `since` to before `until`. `facilities` (empty: all) and `bound_to`
    are what the caller is bound to. `none` as organisation or protocol asks for those without one.
    """

    since: date
    until: date
    measures: tuple[str, ...] = ()
    facility: str | None = None
    organisation: str | None = None
    protocol: str | None = None
    facilities: tuple[str, ...] = ()
    bound_to: str | None = None
    status: Status | None = None
    before: tuple[datetime, UUID] | None = None
    limit: int = 50


NONE = "none"


def _where(wanted: Wanted, given: list[Any]) -> str:
    """The conditions; only what is asked for stands in them, values are parameters."""

    def put(value: Any) -> str:
        given.append(value)
        return f"${len(given)}"

    said = [f"o.counted_on >= {put(wanted.since)} AND o.counted_on < {put(wanted.until)}"]
    if wanted.measures:
        said.append(f"o.measure = ANY ({put(list(wanted.measures))}::text[])")
    if wanted.facility is not None:
        said.append(f"o.facility = {put(wanted.facility)}")
    if wanted.facilities:
        said.append(f"o.facility = ANY ({put(list(wanted.facilities))}::text[])")
    if wanted.bound_to is not None:
        said.append(f"o.organisation = {put(wanted.bound_to)}")
    if wanted.organisation is not None:
        absent = wanted.organisation == NONE
        said.append("o.organisation IS NULL" if absent else f"o.organisation = {put(wanted.organisation)}")
    if wanted.protocol is not None:
        absent = wanted.protocol == NONE
        said.append("o.protocols = '{}'" if absent else f"{put(wanted.protocol)} = ANY (o.protocols)")
    if wanted.status is not None:
        said.append(IS[wanted.status])
    if wanted.before is not None:
        said.append(f"(o.counted_at, o.about) < ({put(wanted.before[0])}, {put(wanted.before[1])})")
    return " AND ".join(said)


def _places(wanted: Wanted, sides: Sequence[Side]) -> tuple[dict[str, str], list[Any]]:
    """What stands in the statements above, and their parameters."""
    given: list[Any] = []
    where = _where(wanted, given)
    joined = EACH_PROTOCOL if Side.PROTOCOL in sides else ""
    if joined and wanted.protocol not in {None, NONE}:
        where += f" AND p.protocol = ${len(given) + 1}"
        given.append(wanted.protocol)
    places = {
        "sides": "".join(f", {COLUMN[side]}" for side in sides),
        "groups": ", ".join(str(place) for place in range(1, len(sides) + 2)),
        "joined": joined,
        "where": where,
    }
    return places, given


async def figures(connection: "Connection", wanted: Wanted, sides: Sequence[Side]) -> list[Figure]:
    """One figure a measure and group, in order; a measure nobody belongs to has none."""
    places, given = _places(wanted, sides)
    async with connection.transaction():
        await connection.execute(ROOM)
        counted = await connection.fetch(FIGURES.format(**places), *given)
        spread = await connection.fetch(SPREADS.format(**places), *given)
        expected = await connection.fetch(EXPECTED.format(**places), *given)
    return _figures(counted, spread, expected, sides)


async def overview(connection: "Connection", wanted: Wanted) -> tuple[list[Figure], list[Figure]]:
    """Every measure in all, and by month without spreads: what a page of all measures shows, counted once for both."""
    places, given = _places(wanted, (Side.MONTH,))
    in_all, _ = _places(wanted, ())
    async with connection.transaction():
        await connection.execute(ROOM)
        counted = await connection.fetch(FIGURES.format(**places), *given)
        spread = await connection.fetch(SPREADS.format(**in_all), *given)
        expected = await connection.fetch(EXPECTED.format(**places), *given)
    months = _figures(counted, (), expected, (Side.MONTH,))
    totals: dict[str, Figure] = {}
    for one in months:
        totals[one.measure] = added(one.measure, [totals.get(one.measure, Figure(one.measure, {})), one])
    for row in spread:
        totals[row["measure"]].median, totals[row["measure"]].p90 = row["spread"]
    return list(totals.values()), months


def _figures(
    counted: Iterable[Any], spread: Iterable[Any], expected: Iterable[Any], sides: Sequence[Side]
) -> list[Figure]:
    found: dict[tuple[str | None, ...], Figure] = {}
    for row in counted:
        key = _group_of(row, sides)
        group = dict(zip((side.value for side in sides), key[1:], strict=True))
        _add(found.setdefault(key, Figure(str(key[0]), group)), row)
    for row in spread:
        if figure := found.get(_group_of(row, sides)):
            figure.median, figure.p90 = row["spread"]
    for row in expected:
        if figure := found.get(_group_of(row, sides)):
            figure.expectation = Expectation(*list(row.values())[len(sides) + 1 :])
    return [found[key] for key in sorted(found, key=lambda key: tuple((part is None, part or "") for part in key))]


def _group_of(row: Any, sides: Sequence[Side]) -> tuple[str | None, ...]:
    """Columns stand in the order asked for: the measure, the sides, then what was counted. A month as `2026-03`."""
    said = list(row.values())[: len(sides) + 1]
    return tuple(f"{part:%Y-%m}" if isinstance(part, date) else part for part in said)


def _add(figure: Figure, row: Any) -> None:
    if row["exclusion"] is not None:
        figure.left_out[row["exclusion"]] = row["total"]
        return
    figure.denominator, figure.numerator = row["denominator"], row["numerator"]
    figure.pending, figure.pending_met = row["total"] - row["denominator"], row["pending_met"]


async def listed(connection: "Connection", wanted: Wanted) -> list[dict[str, Any]]:
    """Those behind the figure, what was counted last first."""
    given: list[Any] = []
    where = _where(wanted, given)
    given.append(wanted.limit)
    rows = await connection.fetch(LISTED.format(where=where, limit=f"${len(given)}"), *given)
    return [_shown(dict(row)) for row in rows]


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    now = row.pop("now")
    closed = row["closes_at"] <= now
    status = Status.PENDING if not closed else Status.MET if row["met"] else Status.MISSED
    return {"status": Status.EXCLUDED if row["exclusion"] is not None else status, **row}
