-- What a store that was put back from a backup must not do yet. Times are ms UTC, wall clock.
ALTER TABLE instance ADD COLUMN removals_from INT NOT NULL DEFAULT 0;   -- nothing is removed at providers before
