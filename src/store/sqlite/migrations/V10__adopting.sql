-- What a provider holds already, on its way to be pins of an account. Times are ms UTC.
CREATE TABLE adopting(
  job INT NOT NULL,
  upstream BLOB NOT NULL,                  -- as in replicas
  content BLOB NOT NULL,                   -- its key; empty: never listed, only known to be gone
  state INT NOT NULL,                      -- the codes of store/sqlite/adopt.rs
  status INT NOT NULL,                     -- what the list said
  created INT,                             -- the provider's own time
  seen INT NOT NULL,                       -- when it was listed; wall clock
  cid TEXT,                                -- as the provider spells it; NULL: canonical
  name TEXT,
  meta TEXT,
  origins TEXT,
  cut INT NOT NULL DEFAULT 0,              -- something of name or meta did not fit
  taken INT NOT NULL DEFAULT 0,            -- it stands for the content's replica since an older one of the content was made
  doubled INT NOT NULL DEFAULT 0,          -- another one stands for the replica: this one is deleted
  copies INT NOT NULL DEFAULT 0,           -- of a dry run: those to be made elsewhere
  PRIMARY KEY(job, upstream)
) WITHOUT ROWID;
CREATE INDEX adopting_next ON adopting(job, state, created);
CREATE INDEX adopting_content ON adopting(job, content);

ALTER TABLE pins ADD COLUMN adopted_created INT;   -- when it was made at the provider that it was adopted from
ALTER TABLE surplus ADD COLUMN content INT;        -- deleted only where the one that is kept is confirmed, or none is wanted
