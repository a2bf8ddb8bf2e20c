-- Tokens that operators made; of their secrets the hashes only. Times are ms UTC.
CREATE TABLE tokens(
  id TEXT PRIMARY KEY,                     -- the beginning of its secret
  account INT REFERENCES accounts,         -- NULL: for the gateway itself, not for anybody's pins
  name TEXT NOT NULL,
  hash BLOB NOT NULL UNIQUE,               -- SHA-256 of the secret
  scopes INT NOT NULL,
  policies TEXT NOT NULL,                  -- a JSON list of names; empty: the account's own
  created INT NOT NULL,
  expires INT,
  revoked INT,
  replaced_by TEXT,                        -- by a rotation; it lets in until it expires
  last_used INT,
  last_from TEXT,
  revision INT NOT NULL                    -- of its last change, uses aside
) WITHOUT ROWID;
CREATE INDEX tokens_name ON tokens(name);
CREATE UNIQUE INDEX tokens_revision ON tokens(revision);

CREATE TABLE token_changes(                -- the newest revision, which no deletion takes back
  one INTEGER PRIMARY KEY CHECK(one = 1),
  revision INT NOT NULL
);
INSERT INTO token_changes(one, revision) VALUES (1, 0);
