"""What a full database costs: the same work on few and on a million stored stays."""

from statistics import median

from deploy.bench import tools
from deploy.bench.figures import Figure, Report
from deploy.bench.ground import Ground
from deploy.bench.tools import Load

ASKED_SLOWER_PERCENT = 20.0
RUNS = 5

# A stored stay of the load client's, multiplied with ids and numbers of its own in every table that intake keeps.
MULTIPLY = (
    """CREATE TEMP TABLE copy AS SELECT n, gen_random_uuid() AS encounter, 'g-' || gen_random_uuid() AS patient,
              gen_random_uuid() AS message FROM generate_series(1, $1::int) n""",
    "INSERT INTO intake.patient_key (id) SELECT patient FROM copy ORDER BY patient",
    """INSERT INTO intake.patient (id, version, record)
       SELECT patient, 1, (SELECT record FROM intake.patient LIMIT 1) FROM copy""",
    """INSERT INTO intake.identifier (authority, type, value, patient_id)
       SELECT 'GROWTH', 'MR', n::text, patient FROM copy""",
    """INSERT INTO intake.encounter (id, authority, type, value, patient_id, feed, facility, version, status, state,
                                     announced)
       SELECT c.encounter, 'GROWTH', 'VN', c.n::text, c.patient, e.feed, e.facility, e.version, e.status, e.state,
              e.announced
       FROM copy c, (SELECT * FROM intake.encounter WHERE status = 'finished' LIMIT 1) e""",
    """INSERT INTO intake.message_key (feed, control_id, sha256, message_id)
       SELECT 'growth', c.n::text, sha256(c.n::text::bytea), c.message FROM copy c""",
    """INSERT INTO intake.encounter_fact (encounter_id, message_id, fact)
       SELECT c.encounter, c.message, f.fact FROM copy c, (SELECT fact FROM intake.encounter_fact LIMIT 1) f""",
    """INSERT INTO intake.stream (topic, subject, epoch, sequence)
       SELECT 'care.encounters.v1', patient, 1, 5 FROM copy""",
    "ANALYZE intake.encounter, intake.patient, intake.identifier, intake.message_key, intake.stream",
)


async def cost(ground: Ground, report: Report, *, stays: int, seconds: float) -> None:
    """Medians of five runs: messages/s on the small database against the grown one."""
    await ground.only("intake")
    small = [(await tools.send(ground.mllp_port, _load(900 + n, seconds))).per_second for n in range(RUNS)]
    await ground.multiply(MULTIPLY, stays)
    grown = [(await tools.send(ground.mllp_port, _load(950 + n, seconds))).per_second for n in range(RUNS)]
    slower = 100 * (1 - median(grown) / median(small))
    report.tell(
        Figure(f"slower with {stays:,} stored stays", slower, "%", ASKED_SLOWER_PERCENT, "less",
               f"{median(small):.0f}/s before, {median(grown):.0f}/s after")
    )  # fmt: skip


def _load(seed: int, seconds: float) -> Load:
    return Load(50, 500_000, seed=seed, seconds=seconds)
