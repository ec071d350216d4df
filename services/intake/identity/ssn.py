"""Social security numbers: only their last four digits are kept, and only of those that may have been issued. Pure."""

SSN_DIGITS = 9


def digits_of(text: str) -> str:
    return "".join(letter for letter in text if letter.isdecimal())


def last_four(ssn: str) -> str:
    """The last four digits; empty for a number that was never issued.

    Never issued (SSA POMS RM 10201.035): area 000, 666 and 900-999, group 00, serial 0000; and two known fillers.
    """
    number = digits_of(ssn)
    area, group, serial = number[:3], number[3:5], number[5:]
    if len(number) != SSN_DIGITS or area in {"000", "666"} or area[0] == "9" or group == "00" or serial == "0000":
        return ""
    if number == "123456789" or len(set(number)) == 1:
        return ""
    return serial
