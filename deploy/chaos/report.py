"""What a run showed, as a short file and as the reasons why it does not pass."""

from collections.abc import Iterator
from pathlib import Path

from deploy.chaos.plan import Size, shown
from deploy.chaos.running import Outcome

SHARE_IN_FLIGHT = 0.7
LEAST_RATE = 50.0


def failures(outcome: Outcome, size: Size) -> Iterator[str]:
    """Why the run proves nothing, or proves that something is wrong."""
    if outcome.differences:
        yield f"{outcome.differences} differences"
    if outcome.kills.missed:
        yield f"never came up again in time: {', '.join(outcome.kills.missed)}"
    if outcome.kills.total and outcome.kills.share_in_flight < SHARE_IN_FLIGHT:
        yield f"only {outcome.kills.share_in_flight:.0%} of the kills met work in flight"
    if size.rate < LEAST_RATE:
        yield f"only {size.rate:.0f} messages/s were offered"


def report(outcome: Outcome, size: Size, seed: int, victims: list[str], broker: str) -> str:
    """Markdown, a page."""
    kills, verdict = outcome.kills, "; ".join(failures(outcome, size)) or "passed"
    killed = ", ".join(f"{name} {times}" for name, times in sorted(kills.done.items()))
    facts = {
        "broker, seed": f"{broker}, {seed}",
        "offered": f"{outcome.offered:,} at {size.rate:.0f}/s: {size.messages:,} messages and their duplicates",
        "sent again": f"{outcome.resent:,} for want of an acknowledgement",
        "received": f"{outcome.received:,} webhook requests",
        "took": f"{outcome.seconds:.0f} s, then {outcome.rest_seconds:.1f} s until the backlog was 0",
        "kills": f"{kills.total}, {kills.share_in_flight:.0%} with work in flight ({killed or 'none'})",
        "plan": shown(victims),
    }
    rows = [f"| {one.check.name} | {one.compared:,} | {len(one.findings)} |" for one in outcome.results]
    listed = [f"- {name}: {fact}" for name, fact in facts.items()]
    table = ["| comparison | compared | differences |", "|---|---:|---:|", *rows]
    return "\n".join([f"# Chaos run: {verdict}", "", *listed, "", *table, ""])


def write(text: str, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
