-- needs extension pg_trgm
create extension pg_trgm;
