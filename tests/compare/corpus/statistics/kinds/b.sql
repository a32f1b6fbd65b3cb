create table t (id integer primary key, a text, b integer);
create statistics s (mcv) on a, b from t;
