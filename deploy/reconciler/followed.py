"""What the other services made of what was said: transitions, tasks, plans; each event's effect once. Pure."""

from collections import Counter, defaultdict
from collections.abc import Iterator

from deploy.reconciler.books import Books, Event, Finding

FOLLOWED = frozenset({"IMP", "EMER", "OBSENC", "SS"})
FITTING: dict[str, set[str | None]] = {
    "finished": {"following", "closed"},
    "cancelled": {"revoked", None},
    "entered-in-error": {"revoked", None},
    "planned": {"revoked", None},
}
GOING_ON: set[str | None] = {"open", "on-hold"}
UNNUMBERED = "care.republish.v1"


def transitions_as_encounters(books: Books) -> Iterator[Finding]:
    """Every stay to be followed has one transition, which stands as the stay does and knows its last version."""
    followed = {event.about for event in books.of("intake") if event.encounter_class in FOLLOWED}
    versions: dict[str, int] = {}
    for event in books.of("intake"):
        if event.about:
            versions[event.about] = event.version
    transitions = defaultdict(list)
    for transition in books.transitions:
        transitions[transition.encounter_id].append(transition)
    for encounter in books.encounters:
        found = transitions.pop(encounter.id, [])
        status = found[0].status if found else None
        if len(found) > 1:
            yield Finding(encounter.id, f"has {len(found)} transitions")
        elif encounter.id in followed and status not in FITTING.get(encounter.status, GOING_ON):
            yield Finding(encounter.id, f"is {encounter.status}, its transition is {status or 'missing'}")
        elif found and found[0].encounter_version != versions.get(encounter.id):
            yield Finding(found[0].id, "does not know the last event of its stay")
    for strangers in transitions.values():
        yield from (Finding(one.id, "is of a stay that intake does not know") for one in strangers)


def tasks_as_told(books: Books) -> Iterator[Finding]:
    """Every task was told once as created, and its row is what was told last."""
    created = Counter(event.about for event in books.of("transitions") if event.type == "care.task.created.v1")
    last = _last_versions(event for event in books.of("transitions") if event.type.startswith("care.task."))
    known = {transition.id for transition in books.transitions}
    for task in books.tasks:
        if created.pop(task.id, 0) != 1:
            yield Finding(task.id, "was not told as created exactly once")
        elif last[task.id] != task.version:
            yield Finding(task.id, f"is at version {task.version}, told up to {last[task.id]}")
        if task.transition_id not in known:
            yield Finding(task.id, "is of a transition that is not there")
    yield from (Finding(task_id, "was told, and is no task") for task_id in created)


def plans_as_told(books: Books) -> Iterator[Finding]:
    """Careplan follows every transition; the versions of a plan were told one by one, each once."""
    followed = {plan.transition_id for plan in books.plans}
    for transition in books.transitions:
        if transition.id not in followed:
            yield Finding(transition.id, "is a transition that careplan never heard of")
    told = defaultdict(list)
    for event in books.of("careplan"):
        if event.about:
            told[event.about].append(event.version)
    for plan in books.plans:
        if plan.plan_id and told.pop(plan.plan_id, []) != list(range(1, plan.plan_version + 1)):
            yield Finding(plan.plan_id, f"its versions were not told as 1 to {plan.plan_version}")
    yield from (Finding(plan_id, "was told, and is no plan") for plan_id in told)


def said_once(books: Books) -> Iterator[Finding]:
    """Nothing caused the same thing to be said twice: the sign of an effect taken twice."""
    seen: set[tuple[object, ...]] = set()
    for event in books.events:
        if not event.about:
            continue
        where = (event.source, event.topic, event.subject)
        key = (*where, event.type, event.about, event.version, event.cause, event.time, event.retracts)
        if key in seen:
            yield Finding(event.id, f"{event.type} was said twice of the same cause")
        seen.add(key)


def taken_into_effect(books: Books) -> Iterator[Finding]:
    """Every consumer stands at the last event of every stream that it hears."""
    ends: dict[tuple[str, str, str], tuple[int, int]] = {}
    for event in books.events:
        if event.topic != UNNUMBERED:
            key = (event.source, event.topic, event.subject)
            ends[key] = max(ends.get(key, (0, 0)), (event.epoch, event.sequence))
    marks = {(one.consumer, one.source, one.topic, one.subject): (one.epoch, one.sequence) for one in books.marks}
    for consumer, topics in books.hears.items():
        for (source, topic, subject), end in ends.items():
            at = marks.get((consumer, source, topic, subject), (0, 0))
            if topic in topics and at < end:
                yield Finding(subject, f"{consumer} stands at {at[1]} of {end[1]} in {topic} of {source}")


def nothing_stuck(books: Books) -> Iterator[Finding]:
    """Nothing waits for a person."""
    yield from (Finding(one.id, f"{one.what} in {one.service}") for one in books.stuck)


def _last_versions(events: Iterator[Event]) -> dict[str, int]:
    last: dict[str, int] = defaultdict(int)
    for event in events:
        last[event.about] = max(last[event.about], event.version)
    return last
