"""FHIR requests for tests, by what matters in them."""

from typing import Any

import orjson

OID = "urn:oid:2.16.840.1.113883.3.9999.1"
V2_0203 = "http://terminology.hl7.org/CodeSystem/v2-0203"
ACT_CODE = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
EVENTS = "http://hl7.org/fhir/us/davinci-alerts/CodeSystem/notification-event"


def patient(**more: Any) -> dict[str, Any]:
    return {
        "resourceType": "Patient",
        "id": "p1",
        "identifier": [{"system": OID, "value": "MRN001", "type": {"coding": [{"system": V2_0203, "code": "MR"}]}}],
        "name": [{"use": "official", "family": "Testa", "given": ["Ann", "Q"]}],
        "gender": "female",
        "birthDate": "1948-02-14",
        "extension": [{"url": "http://example.org/anything", "valueString": "let through"}],
        **more,
    }


def encounter(status: str = "in-progress", **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "Encounter",
        "id": "e1",
        "identifier": [{"system": OID, "value": "V1001", "type": {"coding": [{"system": V2_0203, "code": "VN"}]}}],
        "status": status,
        "class": {"system": ACT_CODE, "code": "IMP"},
        "subject": {"reference": "Patient/p1"},
        "period": {"start": "2026-03-02T09:15:00-06:00"},
        **more,
    }


def discharged(**more: Any) -> dict[str, Any]:
    return encounter(
        "finished",
        period={"start": "2026-03-02T09:15:00-06:00", "end": "2026-03-06T15:00:00-06:00"},
        hospitalization={"dischargeDisposition": {"coding": [{"code": "home"}]}},
        **more,
    )


def message(event: str, focus: dict[str, Any], *others: dict[str, Any], sent: str, **more: Any) -> bytes:
    """A message Bundle; entries are found by relative references."""
    header = {
        "resourceType": "MessageHeader",
        "id": "h1",
        "eventCoding": {"system": EVENTS, "code": event},
        "source": {"endpoint": "http://genhosp.example.org"},
        "focus": [{"reference": f"{focus['resourceType']}/{focus['id']}"}],
    }
    bundle = {
        "resourceType": "Bundle",
        "id": f"b-{event}-{sent[:16].replace(':', '')}",
        "type": "message",
        "timestamp": sent,
        "entry": [
            {"fullUrl": f"http://genhosp.example.org/{one['resourceType']}/{one['id']}", "resource": one}
            for one in (header, focus, *others)
        ],
    }
    return orjson.dumps({**bundle, **more})


def admission() -> bytes:
    ward = {"resourceType": "Location", "id": "w", "name": "4W", "physicalType": {"coding": [{"code": "wa"}]}}
    bed = {
        "resourceType": "Location", "id": "b", "name": "A", "physicalType": {"coding": [{"code": "bd"}]},
        "partOf": {"reference": "Location/w"},
    }  # fmt: skip
    doctor = {
        "resourceType": "Practitioner", "id": "d", "name": [{"family": "Attend", "given": ["Alice"]}],
        "identifier": [{"system": "http://hl7.org/fhir/sid/us-npi", "value": "1234567893"}],
    }  # fmt: skip
    failure = {
        "resourceType": "Condition", "id": "c",
        "code": {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "I50.9"}], "text": "Heart failure"},
    }  # fmt: skip
    stay = encounter(
        location=[{"location": {"reference": "Location/b"}, "status": "active"}],
        participant=[{"type": [{"coding": [{"code": "ATND"}]}], "individual": {"reference": "Practitioner/d"}}],
        diagnosis=[{"condition": {"reference": "Condition/c"}, "use": {"coding": [{"code": "AD"}]}, "rank": 1}],
    )
    sent = "2026-03-02T09:20:00-06:00"
    return message("notification-admit", stay, patient(), ward, bed, doctor, failure, sent=sent)


def discharge() -> bytes:
    return message("notification-discharge", discharged(), patient(), sent="2026-03-06T15:05:00-06:00")


SUBJECT = {"reference": "Patient/p1"}


def appointment(status: str = "booked", **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "Appointment", "id": "a1", "status": status, "start": "2026-03-12T10:00:00-05:00",
        "serviceType": [{"text": "Follow-up visit"}], "participant": [{"actor": SUBJECT}],
        "meta": {"lastUpdated": "2026-03-06T16:00:00Z"}, **more,
    }  # fmt: skip


def report(status: str = "final", **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "DiagnosticReport", "id": "r1", "status": status, "subject": SUBJECT,
        "code": {"coding": [{"system": "http://loinc.org", "code": "58410-2", "display": "CBC panel"}]},
        "effectiveDateTime": "2026-03-08T07:00:00-05:00", **more,
    }  # fmt: skip


def weight(status: str = "final", **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "Observation", "id": "o1", "status": status, "subject": SUBJECT,
        "code": {"coding": [{"system": "http://loinc.org", "code": "29463-7", "display": "Body weight"}]},
        "effectiveDateTime": "2026-03-08T07:00:00-05:00", "valueQuantity": {"value": 82.5, "unit": "kg"}, **more,
    }  # fmt: skip


def summary(status: str = "current", **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "DocumentReference", "id": "d1", "status": status, "docStatus": "final", "subject": SUBJECT,
        "type": {"coding": [{"system": "http://loinc.org", "code": "18842-5"}]},
        "date": "2026-03-07T09:00:00-05:00", **more,
    }  # fmt: skip


def referral(status: str = "active", **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "ServiceRequest", "id": "s1", "status": status, "intent": "order", "subject": SUBJECT,
        "priority": "urgent", "code": {"text": "Cardiology consultation"},
        "requester": {"display": "Dr Attend"}, **more,
    }  # fmt: skip


def task(status: str = "accepted", **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "Task", "id": "t1", "status": status, "intent": "order", "for": SUBJECT,
        "focus": {"reference": "ServiceRequest/s1"}, "owner": {"display": "Lakeside Cardiology"}, **more,
    }  # fmt: skip
