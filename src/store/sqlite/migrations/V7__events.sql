-- What happened, for operators; bounded by age and number. No index: it is read by id, and about in the order of time.
CREATE TABLE events(
  id INTEGER PRIMARY KEY,                  -- the newest row always stays, so that none is given out twice
  at INT NOT NULL,
  kind INT NOT NULL,
  account INT,                             -- NULL: the gateway's
  subject NOT NULL,                        -- a requestid as 16 bytes, anything else as text
  body NOT NULL                            -- a JSON object of strings; of a pin's change of status: from * 16 + to
);
