-- What placement weighs, and what it leaves for later.
ALTER TABLE providers ADD COLUMN facts TEXT NOT NULL DEFAULT '{}';       -- as the config declared it last: JSON
ALTER TABLE providers ADD COLUMN allow_fewer INT NOT NULL DEFAULT 0;     -- a drain may leave fewer copies than policies ask
ALTER TABLE providers ADD COLUMN unproven INT NOT NULL DEFAULT 0;        -- it did not serve what it says is pinned

ALTER TABLE pins ADD COLUMN trim INT NOT NULL DEFAULT 0;                 -- copies that its policy does not ask for may go

ALTER TABLE pins ADD COLUMN missing INT NOT NULL DEFAULT 0;              -- copies for which there was no provider
CREATE INDEX pins_missing ON pins(id) WHERE missing > 0;

ALTER TABLE replicas ADD COLUMN late_at INT;                             -- when a pin stops waiting for it
CREATE INDEX replicas_late ON replicas(late_at) WHERE late_at IS NOT NULL;
