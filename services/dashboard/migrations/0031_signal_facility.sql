-- Whose matter a signal is: people bound to facilities see theirs, and what is nobody's in particular.
ALTER TABLE signal ADD COLUMN facility text;
