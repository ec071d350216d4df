"""Histories of a few patients' visits with merges, moves and new numbers among them, as one hospital would tell them:
each message names people and visits as they were called when it was said.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from hypothesis import strategies as st

PATIENTS = 4
MERGES = ("A40", "A18", "A30", "A34", "A35", "A36", "A39", "A46", "A47")
ACCOUNT_CHANGES = ("A41", "A49")
VISIT_CHANGES = ("A42", "A50")
Choose = Callable[[int], int]
"""One of so many."""


@dataclass
class Hospital:
    """What is true at the moment, and what was told so far. `mark` keeps the numbers of two tellings apart."""

    mark: str
    choose: Choose
    told: list[bytes] = field(default_factory=list)
    merged: dict[int, int] = field(default_factory=dict)
    owner: dict[int, int] = field(default_factory=dict)
    numbers: dict[int, list[str]] = field(default_factory=dict)
    account: dict[int, str] = field(default_factory=dict)
    former: dict[int, list[int]] = field(default_factory=dict)
    cycles: int = 0
    merges: list[tuple[int, int]] = field(default_factory=list)
    """Where each stands among what was told, and who retired."""

    def now(self, patient: int) -> int:
        while patient in self.merged:
            patient = self.merged[patient]
        return patient

    def living(self) -> list[int]:
        return [one for one in range(PATIENTS) if one not in self.merged]

    def number_of(self, patient: int) -> str:
        """Any number under which the patient was ever known: old ones go on being used."""
        known = [one for one in range(PATIENTS) if self.now(one) == self.now(patient)]
        return f"P{known[self.choose(len(known))]}{self.mark}"

    def say(
        self, trigger: str, number: str, *, mrg: str = "", account: str = "", visit: str = "", ward: str = "4W"
    ) -> None:
        at = f"20260302{8 + len(self.told) // 60:02d}{len(self.told) % 60:02d}00"
        family = f"Testa{self.choose(2)}"
        lines = [
            f"MSH|^~\\&|ADT1|GENHOSP|HUB|HUB|{at}||ADT^{trigger}|{len(self.told)}{self.mark}|P|2.5.1",
            f"EVN||{at}",
            f"PID|1||{number}^^^GENHOSP^MR||{family}^Ann||19480214|F"
            + (f"||||||||||{account}^^^GENHOSP" if account else ""),
        ]
        lines += [f"MRG|{mrg}"] if mrg else []
        lines += [f"PV1|1|I|{ward}^1^A|" + "|" * 15 + f"{visit}^^^GENHOSP^VN"] if visit else []
        self.told.append(("\r".join(lines) + "\r").encode())

    def visits(self) -> list[int]:
        return sorted(self.owner)

    def open(self) -> None:
        visit, patient = len(self.numbers), self.living()[self.choose(len(self.living()))]
        self.owner[visit], self.numbers[visit] = patient, [f"V{visit}{self.mark}"]
        self.account[visit] = f"A{self.choose(2)}{self.mark}"
        self.say("A01", self.number_of(patient), account=self.account[visit], visit=self.numbers[visit][0])

    def amend(self) -> None:
        self._of_visit("A08", f"W{self.choose(3)}")

    def say_other_number(self) -> None:
        """Of an alternate number of the visit nothing hangs: what else the message says is taken as an update."""
        self._of_visit("A51", f"W{self.choose(3)}")

    def end(self) -> None:
        self._of_visit("A03", "4W")

    def _of_visit(self, trigger: str, ward: str) -> None:
        """Named is whose the visit is, or, by a sender who has not heard of it yet, whose it was."""
        if visits := self.visits():
            visit = visits[self.choose(len(visits))]
            whose = [self.owner[visit], *self.former.get(visit, [])]
            numbers = self.numbers[visit]
            number = self.number_of(whose[self.choose(len(whose))])
            self.say(trigger, number, visit=numbers[self.choose(len(numbers))], ward=ward)

    def merge(self) -> None:
        living = self.living()
        if len(living) > 1:
            survivor, retired = self._two(living)
            self.say(
                MERGES[self.choose(len(MERGES))], f"P{survivor}{self.mark}", mrg=f"P{retired}{self.mark}^^^GENHOSP^MR"
            )
            self.merged[retired] = survivor
            self.merges.append((len(self.told) - 1, retired))

    def merge_back(self) -> None:
        """A cycle: which of the two is right, only a person can tell. Who is who is the same by either."""
        if self.merged:
            retired = sorted(self.merged)[self.choose(len(self.merged))]
            self.say("A40", f"P{retired}{self.mark}", mrg=f"P{self.merged[retired]}{self.mark}^^^GENHOSP^MR")
            self.cycles += 1

    def move_all(self) -> None:
        if len(self.living()) > 1:
            target, source = self._two(self.living())
            self.say("A43", self.number_of(target), mrg=f"{self.number_of(source)}^^^GENHOSP^MR", account=self._given())
            self._take([visit for visit in self.visits() if self.owner_now(visit) == source], target)

    def move_account(self) -> None:
        if len(self.living()) > 1:
            target, source = self._two(self.living())
            account, given = f"A{self.choose(2)}{self.mark}", self._given()
            mrg = f"{self.number_of(source)}^^^GENHOSP^MR||{account}^^^GENHOSP"
            self.say("A44", self.number_of(target), mrg=mrg, account=given)
            its = [one for one in self.visits() if self.owner_now(one) == source and self.account[one] == account]
            self._take(its, target)

    def move_visit(self) -> None:
        if self.owner and len(self.living()) > 1:
            visit = self.visits()[self.choose(len(self.owner))]
            source = self.owner_now(visit)
            others = [one for one in self.living() if one != source]
            target, numbers = others[self.choose(len(others))], self.numbers[visit]
            mrg = f"{self.number_of(source)}^^^GENHOSP^MR||||{numbers[self.choose(len(numbers))]}^^^GENHOSP^VN"
            self.say("A45", self.number_of(target), mrg=mrg, account=self._given())
            self._take([visit], target)

    def change_account(self) -> None:
        patient, account = self.living()[self.choose(len(self.living()))], f"A{self.choose(2)}{self.mark}"
        given = f"A{self.choose(3)}{self.mark}"
        trigger = ACCOUNT_CHANGES[self.choose(2)]
        number = self.number_of(patient)
        self.say(trigger, number, mrg=f"{number}^^^GENHOSP^MR||{account}^^^GENHOSP", account=given)
        for visit in self.visits():
            if self.owner_now(visit) == patient and self.account[visit] == account:
                self.account[visit] = given

    def renumber(self) -> None:
        if self.owner:
            visit = self.visits()[self.choose(len(self.owner))]
            numbers = self.numbers[visit]
            new = f"V{visit}n{len(numbers)}{self.mark}"
            number = self.number_of(self.owner[visit])
            mrg = f"{number}^^^GENHOSP^MR||||{numbers[-1]}^^^GENHOSP^VN"
            self.say(VISIT_CHANGES[self.choose(2)], number, mrg=mrg, visit=new)
            numbers.append(new)

    def owner_now(self, visit: int) -> int:
        return self.now(self.owner[visit])

    def _two(self, living: list[int]) -> tuple[int, int]:
        one = living[self.choose(len(living))]
        others = [other for other in living if other != one]
        return one, others[self.choose(len(others))]

    def _given(self) -> str:
        """The account as the target has it, said only now and then."""
        return f"A{self.choose(3)}{self.mark}" if self.choose(2) else ""

    def _take(self, visits: list[int], target: int) -> None:
        given = self.told[-1].split(b"\r")[2].split(b"|")
        for visit in visits:
            self.former.setdefault(visit, []).append(self.owner[visit])
            self.owner[visit] = target
            if len(given) > 18:
                self.account[visit] = given[18].split(b"^")[0].decode()


ACTS: tuple[Callable[[Hospital], None], ...] = (
    Hospital.open, Hospital.open, Hospital.amend, Hospital.amend, Hospital.end, Hospital.merge, Hospital.merge_back,
    Hospital.move_all, Hospital.move_account, Hospital.move_visit, Hospital.change_account, Hospital.renumber,
    Hospital.say_other_number,
)  # fmt: skip


@dataclass(frozen=True)
class History:
    """The same story told with two sets of numbers, and an order of arrival with repetitions for the second."""

    acts: tuple[int, ...]
    choices: tuple[int, ...]
    places: tuple[int, ...]

    def hospital(self, mark: str) -> Hospital:
        left = list(self.choices)
        told = Hospital(mark, lambda count: left.pop(0) % count if left else 0)
        told.open()
        for act in self.acts:
            ACTS[act](told)
        return told

    def shuffled(self, told: list[bytes]) -> list[bytes]:
        """Each at least once, in the drawn order; some once more."""
        order = sorted(range(len(told)), key=lambda n: (self.places[n % len(self.places)] * 7919 + n * 104729) % 10007)
        again = [order[place % len(order)] for place in self.places[:3]]
        return [told[n] for n in [*order, *again]]


def merging_histories(most: int = 9) -> st.SearchStrategy[History]:
    """With a merge among them, but no cycle: of two merges that contradict each other none can be undone alone."""
    merge, back = ACTS.index(Hospital.merge), ACTS.index(Hospital.merge_back)
    acts = st.lists(st.sampled_from([n for n in range(len(ACTS)) if n != back]), min_size=1, max_size=most)
    numbers = st.integers(0, 59)
    return st.builds(
        History,
        st.tuples(acts, acts).map(lambda parts: (*parts[0], merge, *parts[1])),
        st.lists(numbers, min_size=20, max_size=60).map(tuple),
        st.lists(numbers, min_size=6, max_size=12).map(tuple),
    )


def histories(most: int = 9) -> st.SearchStrategy[History]:
    numbers = st.integers(0, 59)
    return st.builds(
        History,
        st.lists(st.integers(0, len(ACTS) - 1), min_size=2, max_size=most).map(tuple),
        st.lists(numbers, min_size=20, max_size=60).map(tuple),
        st.lists(numbers, min_size=6, max_size=12).map(tuple),
    )
