create table t (id integer primary key, a text, b integer);
alter table t enable row level security;
create policy p on t to crm_app using (b > 0);
