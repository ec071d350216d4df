"""Every metric of every process: name, meaning, unit and labels in one list. Labels are of closed sets, never ids."""

from prometheus_client import Counter, Gauge, Histogram

FAST = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
SLOW = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600)
SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)

# HTTP, every service
HTTP_REQUESTS = Counter("handoff_http_requests", "Requests answered", ("method", "route", "status"))
HTTP_SECONDS = Histogram(
    "handoff_http_request_seconds", "Time to the end of the answer", ("method", "route"), buckets=FAST
)
HTTP_THROTTLED = Counter("handoff_http_throttled", "Requests refused because their caller asked too often")
TOKENS_REFUSED = Counter("handoff_http_tokens_refused", "Bearer tokens refused, by reason", ("reason",))
AUDIT_ROWS = Counter("handoff_audit_rows", "Rows written to the audit log", ("action",))

# Outbox and relay
OUTBOX_ROWS = Gauge("handoff_outbox_rows", "Outbox rows not yet acknowledged by the broker")
OUTBOX_OLDEST_SECONDS = Gauge("handoff_outbox_oldest_seconds", "Age of the oldest outbox row not yet published")
RELAY_PUBLISHED = Counter("handoff_relay_published", "Events acknowledged by the broker", ("topic",))
RELAY_FAILURES = Counter("handoff_relay_failures", "Send errors after which the relay started anew")
RELAY_WAVE_SECONDS = Histogram(
    "handoff_relay_wave_seconds", "From reading a wave to marking it published", buckets=FAST
)
RELAY_ALIVE = Gauge("handoff_relay_alive_timestamp_seconds", "When the relay last finished a round (Unix time)")

# Consumer loop
CONSUMED = Counter("handoff_consumer_events", "Events by outcome", ("consumer", "topic", "outcome"))
CONSUMER_BATCH_SECONDS = Histogram(
    "handoff_consumer_batch_seconds", "One batch's transaction", ("consumer",), buckets=FAST
)
CONSUMER_BATCH_EVENTS = Histogram("handoff_consumer_batch_events", "Events in a batch", ("consumer",), buckets=SIZES)
CONSUMER_LAG = Gauge("handoff_consumer_lag_events", "Events between position and log end", ("consumer", "topic"))
CONSUMER_COMMITTED = Gauge(
    "handoff_consumer_commit_timestamp_seconds", "When offsets were last committed (Unix time)", ("consumer",)
)
CONSUMER_RETRIES = Counter("handoff_consumer_retries", "Transient failures waited out", ("consumer",))
PARKED_KEYS = Gauge("handoff_parked_keys", "Patients whose events are held back", ("consumer",))
PARKED_OLDEST_SECONDS = Gauge("handoff_parked_oldest_seconds", "Age of the oldest parked key", ("consumer",))
CONSUMER_PAUSED = Gauge(
    "handoff_consumer_paused_partitions", "Partitions whose head fails again and again, and waits", ("consumer",)
)
PARKED = Counter("handoff_parked", "Keys parked, by reason", ("consumer", "reason"))
DEAD_LETTERS = Counter("handoff_dead_letters", "Records that are no event of the contract", ("consumer",))

# Work beside the messages, of every service
WORK_ALIVE = Gauge(
    "handoff_work_alive_timestamp_seconds",
    "When this work last finished a round without a failure (Unix time)",
    ("work",),
)

ROWS_FORGOTTEN = Counter("handoff_rows_forgotten", "Rows deleted because their time was over", ("table",))

# Intake
MLLP_CONNECTIONS = Gauge("handoff_mllp_connections", "Open MLLP connections", ("feed",))
MESSAGES = Counter("handoff_messages", "Messages received, by outcome", ("feed", "outcome"))
MESSAGES_HELD = Gauge("handoff_messages_held", "Messages stored but not applied", ("feed",))
ARRIVALS_WAITING = Gauge("handoff_arrivals_waiting", "Messages acknowledged and not interpreted yet")
ARRIVALS_OLDEST = Gauge("handoff_arrivals_oldest_seconds", "How long the oldest of these has waited")
UNKNOWN_CODES = Counter("handoff_unknown_codes", "Coded values that no map of the feed knows", ("feed", "field"))
FEEDS_RELOADS = Counter("handoff_feeds_reloads", "Times the feeds file was read again, by outcome", ("outcome",))
FEEDS_FILE_REFUSED = Gauge(
    "handoff_feeds_file_refused", "1 while the feeds file is broken and older feeds are in force"
)
PATIENTS_MATCHED = Counter(
    "handoff_patients_matched",
    "Patients compared across authorities, by what was found: unmatched, review, linking",
    ("found",),
)
OVERLAYS_SUSPECTED = Counter(
    "handoff_overlays_suspected", "Messages held because a number suddenly names somebody else", ("feed",)
)
IDENTITY_REVIEWS = Gauge(
    "handoff_identity_reviews", "Pairs of patients and joins of records, by how they stand", ("standing",)
)
ACK_SECONDS = Histogram("handoff_ack_seconds", "From the frame's last byte to the acknowledgement", buckets=FAST)
GROUP_MESSAGES = Histogram("handoff_group_messages", "Messages in one group commit", buckets=SIZES)

# Transitions
TIMERS_ALIVE = Gauge("handoff_timers_alive_timestamp_seconds", "When due tasks were last looked for (Unix time)")
TIMERS_SET_ASIDE = Gauge(
    "handoff_timers_set_aside", "Rows whose due level could not be told, tried again later", ("work",)
)
TASKS_ESCALATED = Counter("handoff_tasks_escalated", "Firings of an escalation level", ("level",))
TASKS_OVERDUE = Gauge("handoff_tasks_overdue", "Open tasks past their due time")
QUALITY_WAITING = Gauge("handoff_quality_waiting", "Changes not counted by the quality measures yet, 10,000 at most")
REFERRAL_DUPLICATES = Counter(
    "handoff_referral_duplicates", "Suspected duplicates of referrals that a person decided on", ("decision",)
)
SIGNALS_OPEN = Gauge("handoff_signals_open", "Live signals now raised", ("kind",))
SIGNALS_RAISED = Counter("handoff_signals_raised", "Live signals raised", ("kind",))
SIGNALS_CLEARED = Counter("handoff_signals_cleared", "Live signals cleared", ("kind",))
SIGNALS_PASSED_OVER = Counter("handoff_signals_passed_over", "Records the live signals could not count", ("topic",))

# Notifications
DELIVERIES = Counter("handoff_deliveries", "Delivery attempts closed, by outcome", ("channel", "outcome"))
DELIVERY_SECONDS = Histogram(
    "handoff_delivery_seconds", "From queueing to the recipient's 2xx", ("channel",), buckets=SLOW
)
DELIVERIES_WAITING = Gauge("handoff_deliveries_waiting", "Deliveries not yet closed")
DELIVERIES_OLDEST_SECONDS = Gauge("handoff_deliveries_oldest_seconds", "Age of the oldest delivery not yet closed")
DELIVERIES_SET_ASIDE = Gauge(
    "handoff_deliveries_set_aside", "Deliveries whose end could not be written down: a person must look"
)
ENDPOINTS_FAILING = Gauge("handoff_endpoints_failing", "Endpoints that have failed for over an hour, or were given up")
SUPPRESSED = Counter("handoff_notices_suppressed", "Notices not sent, by reason", ("reason",))
