-- needs extension pg_trgm
create schema x; create extension pg_trgm schema x;
