-- A census is compared with the same local hour of earlier weeks: of the facility's own zone, across changes of the clock.
ALTER TABLE signal_stay ADD COLUMN time_zone text;
