create table t (a integer array, b text[], c integer[3]);
