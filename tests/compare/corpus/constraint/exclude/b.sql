create table t (r int4range, exclude using gist (r with &&) where (not isempty(r)));
