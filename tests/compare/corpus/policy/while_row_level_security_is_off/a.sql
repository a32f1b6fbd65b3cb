create table t (id integer primary key, a text, b integer);
create policy p on t using (b > 0);
