-- Whether providers serve what they say is pinned. Times are ms UTC, wall clock.
ALTER TABLE providers DROP COLUMN unproven;                            -- proof says more
ALTER TABLE providers ADD COLUMN proof INT NOT NULL DEFAULT 0;         -- what samples showed so far
ALTER TABLE providers ADD COLUMN proof_at INT;                         -- when the last one was asked for
ALTER TABLE providers ADD COLUMN proof_served INT NOT NULL DEFAULT 0;  -- what it came to, in copies
ALTER TABLE providers ADD COLUMN proof_failed INT NOT NULL DEFAULT 0;
ALTER TABLE providers ADD COLUMN proof_unreached INT NOT NULL DEFAULT 0;
ALTER TABLE providers ADD COLUMN proof_uncheckable INT NOT NULL DEFAULT 0;
ALTER TABLE providers ADD COLUMN proof_why TEXT;                       -- the first thing that went wrong in it
ALTER TABLE providers ADD COLUMN gateway_down INT;                     -- since when the gateway cannot be asked

ALTER TABLE replicas ADD COLUMN proved INT;                            -- what its gateway answered last
ALTER TABLE replicas ADD COLUMN proved_at INT;
