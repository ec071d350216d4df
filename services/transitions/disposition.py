"""What a discharge disposition (NUBC form locator 17) says of what comes next."""

UNKNOWN = "unknown"
STILL_PATIENT = "30"
DIED = frozenset({"20", "40", "41", "42"})
TRANSFERRED = frozenset({"02", "05", "43", "63", "65", "66"})
"""To another hospital: a return soon after is one episode with the first stay, no readmission."""
AGAINST_ADVICE = "07"

# 81-95 are the codes of a planned readmission; each has a base code that says where the patient went.
PLANNED = {
    "81": "01", "82": "02", "83": "03", "84": "04", "85": "05", "86": "06", "87": "21", "88": "43",
    "89": "61", "90": "62", "91": "63", "92": "64", "93": "65", "94": "66", "95": "70",
}  # fmt: skip


def base_of(nubc: str | None) -> str:
    """The code without its planned-readmission variant; `unknown` when there is none."""
    if nubc is None:
        return UNKNOWN
    return PLANNED.get(nubc, nubc)


def is_planned(nubc: str | None) -> bool:
    return nubc in PLANNED
