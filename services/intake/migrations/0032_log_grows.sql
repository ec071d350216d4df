-- What a log of ten million messages is asked without reading a day of it: docs/benchmarks.md, message log.

-- By trigger, of all feeds or of one, the newest first. One index that led by trigger and feed did for both only feed by
-- feed, and for a small feed the server took another way and read a hundred thousand pages.
DROP INDEX message_trigger;
CREATE INDEX message_trigger ON message (trigger, id);
CREATE INDEX message_feed_trigger ON message (feed, trigger, id);

-- By a reason alone. Accepted messages have none, so they do not pay for it.
CREATE INDEX message_reason ON message (reason, id) WHERE reason IS NOT NULL;

-- How many came in a minute, kept where the minute is told: the console's list of feeds adds minutes up, and counts
-- only those messages that were not accepted one by one, since a replay may change what became of them.
ALTER TABLE counted_minute ADD COLUMN messages bigint NOT NULL DEFAULT 0, ADD COLUMN last_received_at timestamptz;
CREATE INDEX counted_minute_minute ON counted_minute (minute);
UPDATE counted_minute c SET messages = m.messages, last_received_at = m.last
FROM (SELECT feed, date_trunc('minute', received_at) AS minute, count(*) AS messages, max(received_at) AS last
      FROM message WHERE id >= first_id(now() - interval '24 hours') GROUP BY 1, 2) m
WHERE c.feed = m.feed AND c.minute = m.minute;
