"""An act as HL7 v2.5.1, in the dialect of its hospital."""

from datetime import datetime

from deploy.simulator.places import Hospital
from deploy.simulator.stay import Act

STRUCTURES = {
    "A01": "ADT_A01", "A02": "ADT_A02", "A03": "ADT_A03", "A04": "ADT_A01", "A06": "ADT_A06", "A08": "ADT_A01",
    "A11": "ADT_A09", "A13": "ADT_A01", "A40": "ADT_A39",
}  # fmt: skip
STATE_EXCHANGE = "STATEHIE"


def moment(at: datetime, hospital: Hospital) -> str:
    """With seconds and the facility's own offset."""
    return at.astimezone(hospital.zone).strftime("%Y%m%d%H%M%S%z")


def message(
    act: Act, hospital: Hospital, *, at: datetime, admitted: datetime, discharged: datetime | None, control_id: str
) -> bytes:
    """The whole message, segments ended by CR. `at` is when it happened and was recorded."""
    segments = [
        _msh(act, hospital, at, control_id),
        _line("EVN", {2: moment(at, hospital), 6: moment(at, hospital), 7: _facility(hospital)}),
        _pid(act, hospital),
    ]
    if act.trigger == "A40":
        segments.append(_line("MRG", {1: f"{act.retired}^^^{hospital.code}^MR"}))
    else:
        if act.visit.practice or act.visit.pcp:
            segments.append(_line("PD1", {3: act.visit.practice, 4: _practitioner(act.visit.pcp, "Primary")}))
        segments.append(_pv1(act, hospital, admitted, discharged))
        code, text = act.visit.diagnosis
        kind = "F" if act.discharges else "A"
        segments.append(_line("DG1", {1: "1", 3: f"{code}^{text}^I10", 5: moment(admitted, hospital)[:8], 6: kind}))
    return "".join(f"{segment}\r" for segment in segments).encode()


def _msh(act: Act, hospital: Hospital, at: datetime, control_id: str) -> str:
    kind = f"ADT^{act.trigger}^{STRUCTURES[act.trigger]}"
    sender = f"{hospital.application}|{_facility(hospital)}"
    sent = moment(at, hospital)
    return rf"MSH|^~\&|{sender}|HANDOFF|HUB|{sent}||{kind}|{control_id}|P|2.5.1||||||UNICODE UTF-8"


def _facility(hospital: Hospital) -> str:
    return f"{hospital.code}^{hospital.npi}^NPI" if hospital.npi else hospital.code


def _pid(act: Act, hospital: Hospital) -> str:
    one = act.person
    fields = {
        1: "1",
        3: f"{one.mrn}^^^{hospital.code}^MR",
        5: f"{one.family}^{one.given}^{one.middle}^^^^L",
        7: one.born.strftime("%Y%m%d"),
        8: one.sex,
        11: f"{one.street}^^{one.town}^{one.state}^{one.postcode}^USA^H",
        13: f"{one.phone}^PRN^PH",
        15: one.language,
        18: f"AC{act.visit.number}^^^{hospital.code}^AN",
        30: "Y" if one.deceased else "",
    }
    return _line("PID", fields)


def _pv1(act: Act, hospital: Hospital, admitted: datetime, discharged: datetime | None) -> str:
    visit = act.visit
    fields = {
        1: "1",
        2: visit.patient_class,
        3: visit.location,
        4: "E",
        6: visit.prior_location,
        7: _practitioner(visit.attending, "Attending"),
        10: visit.service,
        14: "7",
        17: _practitioner(visit.attending, "Attending"),
        19: f"{visit.number}^^^{hospital.code}^VN",
        36: visit.disposition,
        37: visit.discharged_to,
        44: moment(admitted, hospital),
        45: moment(discharged, hospital) if discharged else "",
    }
    return _line("PV1", fields)


def _practitioner(npi: str, family: str) -> str:
    return f"{npi}^{family}^Sam^^^^^^NPI^L^^^NPI"


def _line(name: str, fields: dict[int, str]) -> str:
    values = (fields.get(number, "") for number in range(1, max(fields) + 1))
    return "|".join((name, *values)).rstrip("|")
