create table t (id integer primary key, a text, b integer);
create rule r as on update to t do also delete from t where id = old.id;
