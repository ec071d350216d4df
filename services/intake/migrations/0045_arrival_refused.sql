-- What is refused is kept and answered before it is interpreted too: docs/adr/0007. So that whoever interprets it writes
-- down what its sender was told, this is kept beside the bytes. Null: acknowledged positively, as all rows before this.
ALTER TABLE arrival ADD COLUMN refusal jsonb;
