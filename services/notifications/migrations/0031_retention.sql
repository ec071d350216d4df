-- What is past its time is looked for each hour. Rows of these tables come in the order of time: a block range index
-- finds the old ones, and costs next to nothing to keep.
CREATE INDEX attempt_at ON attempt USING brin (at);
CREATE INDEX delivery_queued ON delivery USING brin (queued_at);
CREATE INDEX notice_recorded ON notice USING brin (recorded_at);
CREATE INDEX suppression_at ON suppression USING brin (at);
