"""What the sender was told against what intake keeps, and what intake keeps against what it said. Pure."""

from collections import Counter, defaultdict
from collections.abc import Iterator

from deploy.reconciler.books import Books, Finding, Message, Sent

# How a stay stands after each trigger, by the last message of its story. A08 and A02 change no standing.
STANDING = {"A01": "open", "A04": "open", "A05": "open", "A06": "open", "A13": "open", "A03": "over", "A11": "void"}
STATUSES = {
    "open": {"arrived", "triaged", "in-progress", "onleave", "planned"},
    "over": {"finished"},
    "void": {"cancelled", "entered-in-error"},
}


def acknowledged_and_stored(books: Books) -> Iterator[Finding]:
    """Every positively acknowledged message is in the log, with that acknowledgement, and took effect."""
    stored = {(one.feed, one.control_id): one for one in books.messages if one.outcome != "rejected"}
    for key, sent in _acknowledged(books).items():
        message = stored.get(key)
        if message is None:
            yield Finding(sent.control_id, "acknowledged and lost")
        elif message.outcome != "accepted":
            yield Finding(message.id, f"{message.trigger} acknowledged, but {message.outcome}: {message.reason}")


def stored_once(books: Books) -> Iterator[Finding]:
    """However often the same bytes came, there is one row of them."""
    kept = Counter((one.feed, one.control_id, one.digest) for one in books.messages if one.outcome != "rejected")
    first = {(one.feed, one.control_id, one.digest): one.id for one in books.messages}
    for key, times in kept.items():
        if times > 1:
            yield Finding(first[key], f"the same message is stored {times} times")


def stays_as_sent(books: Books) -> Iterator[Finding]:
    """Each visit that was sent is one encounter, standing as the last message of its story says."""
    known = defaultdict(list)
    for encounter in books.encounters:
        known[encounter.visit].append(encounter)
    for visit, standing in _standings(books).items():
        found = known.pop(visit, [])
        if len(found) != 1:
            yield Finding(visit, f"is {len(found)} encounters instead of one")
        elif found[0].status not in STATUSES[standing]:
            yield Finding(found[0].id, f"is {found[0].status}, but its last message left it {standing}")
    if books.sent:
        for strangers in known.values():
            yield from (Finding(one.id, "is of a visit that nobody sent") for one in strangers)


def folded_once(books: Books) -> Iterator[Finding]:
    """A stay is folded from exactly the accepted messages that speak of it, each counted once."""
    spoken: dict[str, set[str]] = defaultdict(set)
    for message in books.messages:
        if message.outcome == "accepted" and message.encounter_id:
            spoken[message.encounter_id].add(message.id)
    for encounter in books.encounters:
        if set(encounter.facts) != spoken[encounter.id]:
            yield Finding(encounter.id, "its facts are not those of its messages")
        elif encounter.version != len(encounter.facts):
            yield Finding(encounter.id, f"version {encounter.version} after {len(encounter.facts)} messages")


def effects_said(books: Books) -> Iterator[Finding]:
    """What a message is noted to have caused is what the outbox holds of it, no more and no less."""
    caused: dict[str, list[str]] = defaultdict(list)
    for event in books.of("intake"):
        caused[event.cause].append(event.id)
    for message in books.messages:
        if sorted(message.effects) != sorted(caused[message.id]):
            yield Finding(message.id, "what it caused is not what was said of it")


def announced_as_said(books: Books) -> Iterator[Finding]:
    """Milestones that stand are exactly those that were said and not taken back."""
    said: dict[str, set[str]] = defaultdict(set)
    for event in books.of("intake"):
        if event.about:
            said[event.about].add(event.id)
            said[event.about] -= set(event.retracts)
    for encounter in books.encounters:
        if missing := set(encounter.announced) - said[encounter.id]:
            yield Finding(encounter.id, f"announced, but never said or taken back: {', '.join(sorted(missing))}")
    standing = Counter(one for encounter in books.encounters for one in encounter.announced)
    yield from (Finding(one, f"stands {times} times") for one, times in standing.items() if times > 1)


def _acknowledged(books: Books) -> dict[tuple[str, str], Sent]:
    return {(one.feed, one.control_id): one for one in books.sent if one.is_acknowledged}


def _standings(books: Books) -> dict[str, str]:
    """Visit -> how it must stand, from the sender's log alone. A story's control numbers rise."""
    held = _held(books)
    standings: dict[str, str] = {}
    for sent in sorted(_acknowledged(books).values(), key=lambda one: one.control_id):
        if (sent.feed, sent.control_id) in held:
            continue
        standings[sent.visit] = STANDING.get(sent.trigger, standings.get(sent.visit, "open"))
    return standings


def _held(books: Books) -> set[tuple[str, str]]:
    """What waits for a person has had no effect yet."""
    return {(one.feed, one.control_id) for one in books.messages if _waits(one)}


def _waits(message: Message) -> bool:
    return message.outcome in {"held", "skipped"}
