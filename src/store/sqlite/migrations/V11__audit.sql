-- What audits found. Times are ms UTC, wall clock.
ALTER TABLE providers ADD COLUMN swept_at INT;                    -- when the last sweep of its whole list began that ended well
ALTER TABLE providers ADD COLUMN audited_at INT;                  -- when the last audit began
ALTER TABLE providers ADD COLUMN orphans INT NOT NULL DEFAULT 0;  -- pins there that nobody knows here; more than rows are kept of
ALTER TABLE providers ADD COLUMN unplanned INT NOT NULL DEFAULT 0; -- copies may lack looks of their own, as its list is swept

CREATE TABLE audit_sets(                   -- sets of replicas' ids that an audit works with, 65,536 to a part
  job INT NOT NULL,
  what INT NOT NULL,                       -- 0: met on the list as pinned; 1: to be looked at
  part INT NOT NULL,                       -- id / 65,536
  body BLOB NOT NULL,                      -- a roaring bitmap of the rest
  PRIMARY KEY(job, what, part)
);

CREATE TABLE orphans(
  provider INT NOT NULL,
  upstream BLOB NOT NULL,
  content BLOB NOT NULL,                   -- CIDv1 bytes
  name TEXT,
  created INT,                             -- by the provider's clock
  seen_at INT NOT NULL,
  PRIMARY KEY(provider, upstream)
) WITHOUT ROWID;
