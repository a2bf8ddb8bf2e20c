-- Long operations that operators start. Times are ms UTC, wall clock.
CREATE TABLE jobs(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  kind INT NOT NULL,
  state INT NOT NULL,
  provider INT,                            -- no reference: a job outlives a provider that is forgotten
  provider_name TEXT,
  account INT,
  terms TEXT NOT NULL,                     -- a JSON object of the kind's own
  cursor TEXT,                             -- of the kind's own
  done INT NOT NULL DEFAULT 0,
  total INT,
  counts TEXT NOT NULL DEFAULT '{}',       -- a JSON object of numbers
  words TEXT NOT NULL DEFAULT '',
  accepted INT NOT NULL DEFAULT 0,
  started_by TEXT,
  created INT NOT NULL,
  updated INT NOT NULL
);
CREATE INDEX jobs_open ON jobs(kind, provider) WHERE state < 3;
