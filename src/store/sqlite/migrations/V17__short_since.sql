-- Since when (wall clock) a pin that was pinned has fewer copies than its policy's least. Of pins that are short while this
-- column is new it is told from their next change on.
ALTER TABLE pins ADD COLUMN short_since INT;
CREATE INDEX pins_short ON pins(short_since) WHERE short_since IS NOT NULL;
