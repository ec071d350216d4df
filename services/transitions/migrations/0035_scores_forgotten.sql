-- What is past its time is looked for each hour, in the order of time.
CREATE INDEX laboratory_known ON laboratory USING brin (known_at);
CREATE INDEX risk_score_at ON risk_score USING brin (at);
