"""A minute of coverage-guided fuzzing of the readers, from a corpus of messages of our own: it must find nothing."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz.checks import check
from tests.unit.intake.messages import DATA, adt
from tests.unit.intake.statements import mdm, oru, ref, siu

SECONDS = int(os.environ.get("FUZZ_SECONDS", "60"))
BEGINS_WITHIN_S = 180
MOST_BYTES = 2048
TRIGGERS = ("A01", "A03", "A08", "A13", "A17", "A24", "A28", "A40", "A44", "A60", "Z99")
SEEDS = (
    *(file.read_bytes() for file in sorted(DATA.glob("*.hl7"))),
    *(adt(trigger, retired="MRN002" if trigger in {"A40", "A44"} else "") for trigger in TRIGGERS),
    adt("Z99") + b"ZBE|7^KIS|20260302100000||UPDATE|Y|A02\r",
    siu("S12", "20260302090000"),
    oru("20260302090000", "OBX|1|NM|8867-4^Heart rate^LN||120|/min|60-100|H|||F"),
    mdm("T02", "20260302090000"),
    ref("I12", "20260302090000"),
    b"FHS|^~\\&|A\rBHS|^~\\&|A\r" + adt("A01") + adt("A03", control_id="2") + b"BTS|2\rFTS|1\r",
    b"\x0b" + adt("A01") + b"\x1c\r\x0b" + adt("A02") + b"\x1c\r",
    b'{"resourceType":"Encounter","status":"finished","class":{"code":"IMP"},"subject":{"reference":"Patient/1"}}',
    b'{"resourceType":"Bundle","type":"message","entry":[{"resource":{"resourceType":"MessageHeader"}}]}',
)


@pytest.mark.parametrize("seed", SEEDS, ids=range(len(SEEDS)))
def test_the_seeds_hold_themselves(seed: bytes) -> None:
    check(seed)


@pytest.mark.parser
@pytest.mark.timeout(SECONDS + BEGINS_WITHIN_S + 60)
def test_a_minute_finds_nothing(tmp_path: Path) -> None:
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    for number, seed in enumerate(SEEDS):
        (corpus / str(number)).write_bytes(seed)
    options = [f"-max_total_time={SECONDS}", f"-max_len={MOST_BYTES}", "-seed=1", "-timeout=100", "-rss_limit_mb=1024"]
    run = subprocess.run(
        [sys.executable, "-m", "tests.fuzz.coverage", str(corpus), *options, f"-artifact_prefix={tmp_path}/"],
        capture_output=True,
        text=True,
        timeout=SECONDS + BEGINS_WITHIN_S,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-4000:]
    assert "DONE" in run.stderr  # it did run to the end of its time
