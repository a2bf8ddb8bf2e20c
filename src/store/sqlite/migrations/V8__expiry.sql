-- Pins that go away by themselves. Wall clock, ms UTC; NULL: it stays.
ALTER TABLE pins ADD COLUMN expires_at INT;
CREATE INDEX pins_expiring ON pins(expires_at) WHERE expires_at IS NOT NULL;
