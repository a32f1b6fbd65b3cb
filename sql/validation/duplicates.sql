-- No row stands there twice under one key: values of custom fields above all, but any mapped row. Where a unique index sees to it
-- there is nothing to look for.
create function crmshift.check_duplicates(of_workspace uuid default null)
returns table (subject text, key jsonb, detail text)
language plpgsql stable
as $$
declare
    t record;
begin
    for t in
        select k.name, k.columns, (select string_agg(format('%L, r.%I', c, c), ', ' order by i) from unnest(k.columns) with ordinality as u (c, i)) as named,
               (select string_agg(format('r.%I', c), ', ' order by i) from unnest(k.columns) with ordinality as u (c, i)) as grouped
          from (values ('public.customers', array['cst_id']), ('public.leads', array['id']), ('public.lead_appointments', array['id']),
                       ('public.customer_custom_fields', array['customer_id', 'field_id']), ('public.lead_custom_fields', array['lead_id', 'field_id']),
                       ('public.appointment_custom_fields', array['appointment_id', 'field_id'])) as k (name, columns)
         union all
        select m.target, m.key, (select string_agg(format('%L, r.%I', c, c), ', ' order by i) from unnest(m.key) with ordinality as u (c, i)),
               (select string_agg(format('r.%I', c), ', ' order by i) from unnest(m.key) with ordinality as u (c, i))
          from crmshift.mapping as m where m.direction = 'to_legacy'
    loop
        continue when exists (
            select from pg_catalog.pg_index as i
             where i.indrelid = to_regclass(t.name) and i.indisunique and i.indisvalid and i.indpred is null and i.indexprs is null
               and (select array_agg(a.attname::text order by a.attname::text) from pg_catalog.pg_attribute as a
                     where a.attrelid = i.indrelid and a.attnum = any ((i.indkey::smallint[])[:i.indnkeyatts - 1]))
                   = (select array_agg(c order by c) from unnest(t.columns) as c));
        return query execute format('select %L::text, jsonb_build_object(%s), format(''it is there %%s times'', count(*)) from %s as r group by %s having count(*) > 1',
                                    substr(t.name, strpos(t.name, '.') + 1), t.named, to_regclass(t.name), t.grouped);
    end loop;
end
$$;
comment on function crmshift.check_duplicates(uuid) is 'No row, and no value of a custom field, is there twice

Do: Take away all but one of them, then put the primary key back; check_schema_unaltered has its definition.';
