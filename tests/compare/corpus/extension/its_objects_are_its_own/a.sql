-- needs extension hstore
create extension hstore; create table t (a hstore);
