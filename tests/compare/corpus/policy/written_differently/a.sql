create table t (id integer primary key, a text, b integer);
alter table t enable row level security;
create policy p on t to crm_reader, crm_app using (b > 0 and a = current_setting('app.workspace', true));
