-- What is past its time is looked for each hour; versions come in the order of time.
CREATE INDEX plan_version_said ON plan_version USING brin (said_at);
