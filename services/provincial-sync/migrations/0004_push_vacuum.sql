-- Each row of the queue is written three times until it is settled: what is dead is cleared away early, so that claims
-- find their rows in few pages.
alter table push set (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);
