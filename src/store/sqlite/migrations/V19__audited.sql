-- audited_at was set when an audit began, and where audits came to be due while there was none. Times are ms UTC, wall clock.
ALTER TABLE providers ADD COLUMN audits_from INT;                 -- the next audit is due so long after this
UPDATE providers SET audits_from = audited_at;
-- When the last audit ended that came to its end; the kind is audit, the state done.
UPDATE providers SET audited_at = (SELECT max(updated) FROM jobs WHERE kind = 2 AND state = 3 AND provider = providers.id);
