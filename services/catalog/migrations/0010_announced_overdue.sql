-- The due day of which it was announced that it is over.

ALTER TABLE duty RENAME COLUMN told_overdue_for TO announced_overdue_for;
