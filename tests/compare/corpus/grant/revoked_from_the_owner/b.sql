create table t (id integer primary key, a text, b integer);
revoke delete on t from current_user;
