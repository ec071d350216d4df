"""All comparisons in one table: what was compared, how much of it, and what differs."""

from collections.abc import Callable
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from deploy.reconciler import delivered, followed, published, stored
from deploy.reconciler.books import Books, Finding, Findings

SHOWN = 5


@dataclass(frozen=True, slots=True)
class Check:
    """`counts` says how much there was to compare: nothing compared is no proof."""

    name: str
    compare: Callable[[Books], Findings]
    counts: Callable[[Books], int]


@dataclass(frozen=True, slots=True)
class Result:
    check: Check
    compared: int
    findings: tuple[Finding, ...]


def _to_be_told(books: Books) -> int:
    return sum(delivered.is_announced(event) for event in books.of("intake")) * len(books.everything)


def _retractions(books: Books) -> int:
    return sum(1 for one in books.received if one.retracts)


def _on_topics(books: Books) -> int:
    return sum(1 for one in books.deliveries if one.channel == "kafka")


CHECKS = (
    Check("acknowledged = stored", stored.acknowledged_and_stored, lambda b: len(b.sent)),
    Check("stored once", stored.stored_once, lambda b: len(b.messages)),
    Check("stays as sent", stored.stays_as_sent, lambda b: len({one.visit for one in b.sent})),
    Check("stays folded once", stored.folded_once, lambda b: len(b.encounters)),
    Check("effects of messages = said", stored.effects_said, lambda b: len(b.messages)),
    Check("announced = said and standing", stored.announced_as_said, lambda b: len(b.encounters)),
    Check("transitions as encounters", followed.transitions_as_encounters, lambda b: len(b.transitions)),
    Check("tasks as told", followed.tasks_as_told, lambda b: len(b.tasks)),
    Check("plans as told", followed.plans_as_told, lambda b: len(b.plans)),
    Check("nothing said twice", followed.said_once, lambda b: len(b.events)),
    Check("taken into effect", followed.taken_into_effect, lambda b: len(b.marks)),
    Check("nothing stuck", followed.nothing_stuck, lambda b: len(b.hears)),
    Check("outboxes without gaps", published.numbered_without_gaps, lambda b: len(b.events)),
    Check("outboxes = Kafka", published.everything_in_kafka, lambda b: len(b.records)),
    Check("order in Kafka", published.in_order_in_kafka, lambda b: len(b.records)),
    Check("everyone told", delivered.everyone_told, _to_be_told),
    Check("delivered = received", delivered.received_as_delivered, lambda b: len(b.deliveries)),
    Check("received once", delivered.received_once, lambda b: len(b.received)),
    Check("received in order", delivered.received_in_order, lambda b: len(b.received)),
    Check("retracted to those told", delivered.retractions_to_those_told, _retractions),
    Check("topics of providers", delivered.topics_as_delivered, _on_topics),
)


def reconcile(books: Books) -> list[Result]:
    return [Result(check, check.counts(books), tuple(check.compare(books))) for check in CHECKS]


def differences(results: list[Result]) -> int:
    return sum(len(result.findings) for result in results)


def show(results: list[Result], console: Console) -> None:
    """The table, then what differs: ids, and at most a few of each kind."""
    table = Table(title="Reconciliation", title_justify="left")
    table.add_column("comparison")
    table.add_column("compared", justify="right")
    table.add_column("differences", justify="right")
    for result in results:
        colour = "red" if result.findings else "green"
        table.add_row(result.check.name, f"{result.compared:,}", f"[{colour}]{len(result.findings)}[/]")
    console.print(table)
    for result in results:
        for finding in result.findings[:SHOWN]:
            console.print(f"[red]{result.check.name}[/]: {finding.id} {finding.what}", highlight=False)
        if len(result.findings) > SHOWN:
            console.print(f"  … and {len(result.findings) - SHOWN} more", highlight=False)
