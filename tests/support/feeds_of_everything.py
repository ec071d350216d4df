"""A day of everything that a hospital sends, the same each time: whole stays with results, documents, appointments and
referrals, repeated and late messages among them, and every kind of merge, move, link and new number.
"""

from collections.abc import Iterator
from itertools import islice

from deploy.bench.mixing import mixed
from deploy.simulator.schedule import Schedule
from deploy.simulator.settings import SimulatorSettings
from tests.unit.intake.messages import adt, specimen

START = "2026-03-02T06:00:00+00:00"
LATE_BY = 40  # messages by which every twentieth comes later than it was sent
T2, T3, T4, T5 = "20260303090000", "20260304090000", "20260305090000", "20260306090000"


def everything(count: int) -> list[bytes]:
    """So many messages of stays, and about fifty others among them."""
    schedule = Schedule(SimulatorSettings(seed=11, rate=5, stay_seconds=60, start=START))
    stays = [message.payload for message in islice(mixed(schedule), count)]
    others = list(identities())
    step = len(stays) // (len(others) + 1)
    for number, other in enumerate(others, 1):
        stays.insert(number * (step + 1) - 1, other)
    late = [(number + (LATE_BY if number % 20 == 0 else 0), number) for number in range(len(stays))]
    shuffled = [stays[number] for _, number in sorted(late)]
    return [again for number, one in enumerate(shuffled) for again in ([one, one] if number % 25 == 0 else [one])]


def identities() -> Iterator[bytes]:
    """Stays of a few patients, before and after their numbers change, with what is held and refused."""
    for n in range(3):
        who, visits = f"X{n}", (f"XV{n}A", f"XV{n}B", f"XV{n}C")
        for visit in visits:
            yield adt("A01", control_id=f"{visit}1", mrn=who, visit=visit)
            yield adt("A08", control_id=f"{visit}2", mrn=who, visit=visit, recorded="20260302120000", family=f"New{n}")
        yield _numbers("A45", n, f"{who}^^^GENHOSP^MR||||{visits[1]}^^^GENHOSP^VN", f"Y{n}", visits[1], T2)
        yield _numbers("A50", n, f"{who}^^^GENHOSP^MR||||{visits[0]}^^^GENHOSP^VN", who, f"{visits[0]}-NEW", T3)
        yield _numbers("A42", n, f"{who}^^^GENHOSP^MR||||{visits[2]}^^^GENHOSP^VN", who, f"{visits[0]}-NEW", T4)
        yield _numbers("A44", n, f"{who}^^^GENHOSP^MR||NONE^^^GENHOSP^AN", f"Y{n}", "", T4)
        yield adt("A03", control_id=f"{who}3", mrn=who, visit=visits[0], recorded=T5)
        yield adt("A40", control_id=f"{who}4", mrn=f"Z{n}", visit="", retired=who, recorded=T5)
        yield adt("A31", control_id=f"{who}5", mrn=who, visit="", recorded=T5, family=f"Newer{n}")
        yield adt("A08", control_id=f"{who}6", mrn=f"Y{n}", visit=f"{visits[0]}-NEW", recorded=T5)
    yield specimen("a17-swap")
    yield adt("A24", control_id="link").split(b"PV1|")[0] + b"PID|2||X1^^^GENHOSP^MR||Testb^Bea\r"
    yield adt("A01", control_id="nobody", mrn="", visit="V9")
    yield adt("A01", control_id="nowhere", visit="", admitted="")


def _numbers(trigger: str, n: int, former: str, mrn: str, visit: str, at: str) -> bytes:
    lines = [
        f"MSH|^~\\&|ADT1|GENHOSP|HUB|HUB|{at}||ADT^{trigger}|{trigger}{n}|P|2.5.1",
        f"EVN||{at}",
        f"PID|1||{mrn}^^^GENHOSP^MR||Testa^Ann|||||||||||||ACC{n}^^^GENHOSP^AN",
        f"MRG|{former}",
        f"PV1|1|I|||||||||||||||||{visit}^^^GENHOSP^VN" if visit else "PV1|1|I",
    ]
    return ("\r".join(lines) + "\r").encode()
