-- Times are ms UTC, wall clock unless a comment says otherwise. Enums are the codes of model/*.rs.

CREATE TABLE instance(
  one INTEGER PRIMARY KEY CHECK(one = 1),
  id BLOB NOT NULL,
  clock_floor INT NOT NULL                 -- the latest time on record: a clock behind it has gone back
);

CREATE TABLE accounts(
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  last_created INT NOT NULL DEFAULT 0,     -- the newest `created` ever given out, deleted pins included (I3)
  retired_at INT
);

CREATE TABLE providers(
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  fingerprint BLOB NOT NULL,
  mode INT NOT NULL,                       -- the operator's will
  health INT NOT NULL,                     -- what was observed
  health_since INT NOT NULL,
  absent_since INT,
  blocked_until INT,
  proven BLOB,                             -- SHA-256 of the credential that last reached the copies on record
  delegates INT REFERENCES delegate_sets   -- the set it last sent
);

CREATE TABLE policies(
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  rev INT NOT NULL,
  body TEXT NOT NULL,
  UNIQUE(name, rev)
);

CREATE TABLE contents(
  id INTEGER PRIMARY KEY,
  key BLOB NOT NULL UNIQUE                 -- CIDv1 bytes: codec and multihash
);

CREATE TABLE delegate_sets(
  id INTEGER PRIMARY KEY,
  body TEXT NOT NULL UNIQUE                -- a JSON array of multiaddrs
);

CREATE TABLE pins(
  id INTEGER PRIMARY KEY,                  -- rises with `created` inside an account: one writer
  requestid BLOB NOT NULL UNIQUE,
  account INT NOT NULL REFERENCES accounts,
  content INT NOT NULL REFERENCES contents,
  created INT NOT NULL,                    -- our own clock (I3): strictly increasing per account
  status INT NOT NULL,
  policy INT NOT NULL REFERENCES policies,
  need INT NOT NULL,
  want INT NOT NULL,
  have INT NOT NULL,
  was_pinned INT NOT NULL,
  accepted INT NOT NULL,                   -- wall clock
  cid TEXT,                                -- as sent; NULL: canonical base32 of the content
  name TEXT,
  folded TEXT,                             -- case-folded name; NULL: equal to name
  meta TEXT,                               -- a JSON object of strings
  origins TEXT                             -- a JSON array of multiaddrs
);
-- No index on (account, created): it misleads the planner (232 ms instead of 0.04 ms at 1M).
CREATE INDEX pins_list ON pins(account, status, created, name);
-- The last column tells an exact name from its other spellings without a look at the row.
CREATE INDEX pins_name ON pins(account, coalesce(folded, name), status, created, iif(folded IS NULL, NULL, name))
  WHERE coalesce(folded, name) IS NOT NULL;
-- Status at the end: a filter by it needs no look at the rows of a content that has very many pins.
CREATE INDEX pins_content ON pins(content, account, created, status);

CREATE TABLE pin_meta(
  account INT NOT NULL,
  key TEXT NOT NULL,
  value TEXT NOT NULL,                     -- over 256 bytes: sha256: and the hash in hex
  pin INT NOT NULL,
  PRIMARY KEY(account, key, value, pin)
) WITHOUT ROWID;

CREATE TABLE pin_counts(
  account INT NOT NULL,
  status INT NOT NULL,
  width INT NOT NULL,                      -- ms of `created` in one bucket: 10 s, 10 min, 10 h, 25 days
  bucket INT NOT NULL,                     -- created / width
  n INT NOT NULL,
  PRIMARY KEY(account, status, width, bucket)
) WITHOUT ROWID;

CREATE TABLE replicas(
  id INTEGER PRIMARY KEY AUTOINCREMENT,    -- never reused: a stale outcome must not hit another replica
  provider INT NOT NULL REFERENCES providers,
  content INT NOT NULL,                    -- no reference: to check it, dropping a content would scan this table
  goal INT NOT NULL,
  state INT NOT NULL,
  owned INT NOT NULL,
  attempt INT NOT NULL,
  doubt INT NOT NULL,
  doubt_until INT,
  op INT,                                  -- NULL: nothing due
  next_at INT,                             -- while leased: when the lease ends
  leased INT NOT NULL,
  lane INT NOT NULL,                       -- the account it is served for
  tries INT NOT NULL,
  refusals INT NOT NULL,
  error INT,
  error_text TEXT,
  state_at INT NOT NULL,
  seen_at INT,
  verified_at INT,
  delegates INT REFERENCES delegate_sets,
  upstream BLOB,                           -- a UUID as 16 bytes, anything else as text
  UNIQUE(provider, content)
);
CREATE INDEX replicas_due ON replicas(provider, op, lane, next_at) WHERE next_at IS NOT NULL;
CREATE INDEX replicas_leased ON replicas(id) WHERE leased;

CREATE TABLE pin_replicas(
  pin INT NOT NULL,
  replica INT NOT NULL REFERENCES replicas,
  held_since INT,                          -- NULL: own; else a replaced pin's copy, and since when it is held
  PRIMARY KEY(pin, replica)
) WITHOUT ROWID;
CREATE INDEX pin_replicas_rev ON pin_replicas(replica, pin);   -- references are counted here, never in a column
CREATE INDEX pin_replicas_held ON pin_replicas(held_since) WHERE held_since IS NOT NULL;

CREATE TABLE replica_counts(
  provider INT NOT NULL,
  state INT NOT NULL,
  n INT NOT NULL,
  PRIMARY KEY(provider, state)
) WITHOUT ROWID;

CREATE TABLE tallies(                      -- counts that no index gives cheaply
  what TEXT PRIMARY KEY,                   -- short: pins with fewer pinned copies than their policy's least; policy/ID: its pins
  n INT NOT NULL
) WITHOUT ROWID;

CREATE TABLE remerge(                      -- replicas whose pins are still to be settled
  replica INTEGER PRIMARY KEY,
  after_pin INT NOT NULL
);

CREATE TABLE surplus(                      -- our doubles at a provider, to be deleted
  provider INT NOT NULL,
  upstream BLOB NOT NULL,
  next_at INT NOT NULL,
  tries INT NOT NULL,
  PRIMARY KEY(provider, upstream)
) WITHOUT ROWID;
