-- Copies that go from a full provider so that a pin has their place there, which held them.
CREATE TABLE places(
  replica INT PRIMARY KEY,   -- the copy
  pin INT NOT NULL           -- settled as soon as it is gone, before anybody else is
) WITHOUT ROWID;
CREATE INDEX places_pin ON places(pin);
