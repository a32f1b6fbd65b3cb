-- needs extension vector
create schema x; create extension vector schema x; create table t (a x.vector(3));
