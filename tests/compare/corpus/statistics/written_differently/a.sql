create table t (id integer primary key, a text, b integer);
create statistics s on a, b from t;
