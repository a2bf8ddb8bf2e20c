-- What each account has of what a quota may bound; changed in the transaction that changes its pins.
ALTER TABLE accounts ADD COLUMN pins INT NOT NULL DEFAULT 0;
ALTER TABLE accounts ADD COLUMN meta_bytes INT NOT NULL DEFAULT 0;   -- of the meta of its pins, as kept
ALTER TABLE accounts ADD COLUMN day INT NOT NULL DEFAULT 0;          -- the last day (since 1970, UTC) of an acceptance
ALTER TABLE accounts ADD COLUMN accepted INT NOT NULL DEFAULT 0;     -- adds and replaces on that day

UPDATE accounts SET pins = u.n, meta_bytes = u.bytes
FROM (SELECT account, count(*) AS n, coalesce(sum(octet_length(meta)), 0) AS bytes FROM pins GROUP BY account) u
WHERE u.account = accounts.id;
