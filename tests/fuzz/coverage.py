"""`python -m tests.fuzz.coverage CORPUS -max_total_time=60`: bytes guided by what they reach in the readers (atheris).

The options are libFuzzer's. Ends with a code other than 0 when something was found; the bytes are then kept beside.
"""

import sys

import atheris

with atheris.instrument_imports(include=["services.intake", "shared.mllp"]):
    from tests.fuzz.checks import check


def main() -> None:
    atheris.Setup(sys.argv, check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
