"""Messages of one invented stay, written as a hospital's interface engine would send them (HL7 v2.5.1)."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from uuid import uuid4

ATTENDING = "1000994925"
PCP = "1000000004"
"""Summit Hospitalists' and Lakeside Primary Care's, in the roster that is shipped."""

_numbers = count(1)


@dataclass
class Stay:
    """A stay at General Hospital. Times are UTC; `next_minute` moves the hospital's clock."""

    mrn: str = field(default_factory=lambda: f"T{uuid4().hex[:10].upper()}")
    visit: str = field(default_factory=lambda: f"V{uuid4().hex[:10].upper()}")
    family: str = "Testa"
    given: str = "Ann"
    clock: datetime = field(default_factory=lambda: datetime.now(UTC).replace(microsecond=0) - timedelta(hours=6))
    admitted: datetime | None = None
    ward: str = "4W^401^A^GENHOSP"
    diagnosis: str = "I50.9^Heart failure, unspecified^I10"

    def admit(self) -> bytes:
        self.admitted = self._tick()
        return self._message("A01", self._pv1())

    def transfer(self, to: str) -> bytes:
        prior, self.ward = self.ward, to
        self._tick()
        return self._message("A02", self._pv1(prior=prior))

    def discharge(self, disposition: str = "01") -> bytes:
        left = self._tick()
        return self._message("A03", self._pv1(disposition=disposition, left=left))

    def cancel_discharge(self) -> bytes:
        self._tick()
        return self._message("A13", self._pv1())

    def cancel_admission(self) -> bytes:
        self._tick()
        return self._message("A11", self._pv1(), structure="ADT_A09")

    def merge_from(self, retired: "Stay") -> bytes:
        """A40: the other record is this person's."""
        self._tick()
        return self._message("A40", f"MRG|{retired.mrn}^^^GENHOSP^MR", structure="ADT_A39")

    def _tick(self) -> datetime:
        self.clock += timedelta(minutes=20)
        return self.clock

    def _pv1(self, *, prior: str = "", disposition: str = "", left: datetime | None = None) -> str:
        fields = [""] * 46
        fields[0], fields[1], fields[2], fields[3], fields[4], fields[6] = "PV1", "1", "I", self.ward, "E", prior
        fields[7] = f"{ATTENDING}^Attend^Alice^^^^^^NPI^L^^^NPI"
        fields[19] = f"{self.visit}^^^GENHOSP^VN"
        fields[36] = disposition
        fields[44] = _hl7(self.admitted) if self.admitted else ""
        fields[45] = _hl7(left) if left else ""
        return "|".join(fields).rstrip("|") + f"\rDG1|1||{self.diagnosis}||{_hl7(self.clock)[:8]}|A"

    def _message(self, trigger: str, rest: str, *, structure: str | None = None) -> bytes:
        control = f"E{next(_numbers):06d}{uuid4().hex[:6].upper()}"
        said = _hl7(self.clock)
        segments = [
            rf"MSH|^~\&|ADT1|GENHOSP|HANDOFF|HUB|{said}||ADT^{trigger}^{structure or 'ADT_' + trigger}|{control}|P|2.5.1",
            f"EVN|{trigger}|{said}||||{said}",
            f"PID|1||{self.mrn}^^^GENHOSP^MR||{self.family}^{self.given}^Q^^^^L||19480214|F|||1 Elm St^^Springfield^IL^62701",
            f"PD1||||{PCP}^Primary^Paula^^^^^^NPI^L^^^NPI",
            rest,
        ]
        return "\r".join(segments).encode() + b"\r"


def _hl7(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y%m%d%H%M%S+0000")
