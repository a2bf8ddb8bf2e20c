-- The last time that was believed: what a start compares its clock with before it deletes by it. Times are ms UTC, wall clock.
ALTER TABLE instance ADD COLUMN clock_sure INT NOT NULL DEFAULT 0;   -- believed last
ALTER TABLE instance ADD COLUMN clock_wall INT NOT NULL DEFAULT 0;   -- what the clock showed then
ALTER TABLE instance ADD COLUMN clock_left INT;                      -- ms until it is believed, where it was doubted
UPDATE instance SET clock_sure = clock_floor, clock_wall = clock_floor;
