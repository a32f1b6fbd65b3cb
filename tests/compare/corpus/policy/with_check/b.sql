create table t (id integer primary key, a text, b integer);
alter table t enable row level security;
create policy p on t using (b > 0) with check (b > 1);
