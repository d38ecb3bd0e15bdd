-- By which cleansing rule-set a verdict was derived (R-12): the name of all steps of normalisation with their
-- versions, as crate credit-record gives it. Null for verdicts from before this migration.
ALTER TABLE verdict ADD COLUMN rule_set text;
