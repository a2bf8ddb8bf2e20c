-- Pins that follow a newer revision of their policy, and whose copies are not yet those that it asks for.
CREATE INDEX pins_trim ON pins(policy, id) WHERE trim;
