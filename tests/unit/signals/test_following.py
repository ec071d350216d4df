"""A signal is raised once and cleared once, however often what it is about comes and goes."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from services.transitions.signals.following import Changes, Standing, follow
from services.transitions.signals.readings import Finding
from shared.events.operations import SignalKind

NOW = datetime(2026, 3, 10, 15, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
ID = UUID(int=1)


def finding(scope: str = "feed:north", kind: SignalKind = SignalKind.SILENT_FEED) -> Finding:
    return Finding(kind=kind, scope=scope, since=NOW, value=7, usual=60, text="quiet")


def ten_minutes(_kind: SignalKind) -> timedelta:
    return 10 * MINUTE


def test_what_is_found_and_not_open_is_raised_and_then_no_more() -> None:
    assert follow([], [finding()], NOW, ten_minutes) == Changes(raised=(finding(),))
    assert follow([Standing(ID, finding())], [finding()], NOW, ten_minutes) == Changes()


def test_the_same_kind_elsewhere_and_another_kind_here_are_other_signals() -> None:
    others = [finding("feed:south"), finding(kind=SignalKind.SURGE)]
    assert follow([Standing(ID, finding())], [finding(), *others], NOW, ten_minutes).raised == tuple(others)


def test_what_is_found_twice_in_one_round_is_raised_once() -> None:
    assert follow([], [finding(), finding()], NOW, ten_minutes).raised == (finding(),)


def test_what_is_no_longer_found_is_calm_first_and_cleared_after_its_time() -> None:
    assert follow([Standing(ID, finding())], [], NOW, ten_minutes) == Changes(calmed=(ID,))
    calm = Standing(ID, finding(), NOW)
    assert follow([calm], [], NOW + 10 * MINUTE - timedelta(seconds=1), ten_minutes) == Changes()
    assert follow([calm], [], NOW + 10 * MINUTE, ten_minutes) == Changes(cleared=(calm,))


def test_what_is_found_again_while_calm_goes_on_standing() -> None:
    calm = Standing(ID, finding(), NOW)
    assert follow([calm], [finding()], NOW + 9 * MINUTE, ten_minutes) == Changes(stirred=(ID,))


def test_a_kind_without_a_calm_time_is_cleared_at_once() -> None:
    open_ = Standing(ID, finding())
    assert follow([open_], [], NOW, lambda _: timedelta(0)) == Changes(cleared=(open_,))


def test_a_stuttering_feed_is_one_signal_and_not_many() -> None:
    """Quiet for five minutes, one message, and so on for two hours: one event, and one more when it is over."""
    standing: list[Standing] = []
    said = 0
    for minute in range(240):
        found = [finding()] if minute < 120 and minute % 6 != 5 else []
        now = NOW + minute * MINUTE
        changes = follow(standing, found, now, ten_minutes)
        said += len(changes.raised) + len(changes.cleared)
        standing = [Standing(ID, each) for each in changes.raised] + [
            Standing(
                s.id, s.finding, now if s.id in changes.calmed else None if s.id in changes.stirred else s.calm_since
            )
            for s in standing
            if s not in changes.cleared
        ]
    assert (said, standing) == (2, [])
