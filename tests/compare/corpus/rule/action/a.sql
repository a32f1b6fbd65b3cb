create table t (id integer primary key, a text, b integer);
create rule r as on delete to t do instead nothing;
