-- Calls that may have started, or may yet, at providers (I9). Times are of the ledger: ms UTC that go on whatever is done
-- to the wall clock; `instance.ledger_ahead` is how far that is ahead of them.
CREATE TABLE budget_use(
  grp TEXT NOT NULL,                       -- a budget: one provider's, or one that several share
  class INT NOT NULL,
  begins INT NOT NULL,                     -- a slot of the limit's window; a call starts inside the slot it is counted in
  ends INT NOT NULL,
  used INT NOT NULL,
  PRIMARY KEY(grp, class, begins)
) WITHOUT ROWID;

CREATE TABLE budget_lessons(               -- what refusals taught; wall clock
  grp TEXT NOT NULL,
  class INT NOT NULL,
  calls INT,                               -- with `per`, `from_calls`, `at`: a learned limit
  per INT,
  from_calls INT,
  at INT,
  blocked_until INT,
  PRIMARY KEY(grp, class)
) WITHOUT ROWID;

ALTER TABLE instance ADD COLUMN ledger_ahead INT NOT NULL DEFAULT 0;

-- What is on its way to a provider: it may be queued there before we know.
CREATE INDEX replicas_sending ON replicas(provider) WHERE upstream IS NULL AND (leased OR doubt = 1);
