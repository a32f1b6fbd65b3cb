-- The tables that the steps made are there, with their columns, constraints and indexes as they were made. More of them do no harm.
create function crmshift.check_schema_unaltered(of_workspace uuid default null)
returns table (subject text, key jsonb, detail text)
language sql stable
as $$
select a.subject, jsonb_build_object(a.kind, coalesce(nullif(a.name, ''), a.subject)), a.detail
  from crmshift.altered(array['table', 'column', 'constraint', 'index']) as a
$$;
comment on function crmshift.check_schema_unaltered(uuid) is 'Tables, columns, constraints and indexes are as they were made

Do: crmshift.installed has the statement that makes it. If it is meant so: select crmshift.accept_object(kind, subject, name).';
