-- The due day of which it was announced that it is over. Renamed while nothing is deployed: from the first deployment on
-- columns are added first and dropped later.

ALTER TABLE duty RENAME COLUMN told_overdue_for TO announced_overdue_for;
