-- An account's share of each provider, against those of other accounts: 1 to 100.
ALTER TABLE accounts ADD COLUMN weight INT NOT NULL DEFAULT 1;
