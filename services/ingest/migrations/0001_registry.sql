-- What ingest knows of the catalogue, by event: who may report and what may be reported.
create table provider (
    code     text    primary key,
    name     text    not null,
    enabled  boolean not null,
    revision bigint  not null
);

create table item_version (
    code    text    not null,
    version integer not null,
    name    text    not null,
    primary key (code, version)
);

grant select, insert, update on provider to ingest;
grant select, insert on item_version to ingest;
