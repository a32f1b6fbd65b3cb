-- Legacy has no column that came after its writes were attached and that no mapping reads: what applications write there stays in legacy.
create function crmshift.check_unmapped_columns(of_workspace uuid default null)
returns table (subject text, key jsonb, detail text)
language sql stable
as $$
select o.subject, jsonb_build_object('column', o.name), 'column came later, and no mapping reads it'
  from crmshift.objects(array['legacy column']) as o
 where not exists (select from crmshift.installed as i where i.kind = 'legacy column' and i.subject = o.subject and i.name = o.name)
   and not exists (select from crmshift.mapping_reads as r where r.source = o.subject and r.column_name = o.name)
$$;
comment on function crmshift.check_unmapped_columns(uuid) is 'Legacy has no new column that no mapping reads

Severity: warning
Do: Carry it over (docs/writing-a-mapping.md), or leave it behind: name it in the plan, and select crmshift.accept_object(''legacy column'', table, column).';
