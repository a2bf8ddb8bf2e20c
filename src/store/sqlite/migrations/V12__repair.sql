-- Whose copies are made again first, and which providers' pins are to be settled anew.
ALTER TABLE replicas ADD COLUMN rank INT NOT NULL DEFAULT 0;   -- lower ones are sent first: live copies * 10 + 5 - priority
ALTER TABLE providers ADD COLUMN resettle_after INT;           -- the content after which that goes on; NULL: nothing to do

DROP INDEX replicas_due;
CREATE INDEX replicas_due ON replicas(provider, op, lane, rank, next_at) WHERE next_at IS NOT NULL;
