-- Who may read or write a legacy table may do the same on the target, and nobody may do more; what a policy of legacy restricts, one of the target
-- restricts too. Roles that own a table or are superusers may do anything, and are left out; so are PUBLIC's rights on the target (public_grants).
create function crmshift.check_access_parity(of_workspace uuid default null)
returns table (subject text, key jsonb, detail text)
language sql stable
set search_path = pg_catalog, pg_temp
as $$
with pair as (
    select distinct f.source as legacy, m.target, pg_get_viewdef(format('crmshift.%I', m.name || '_expected')::regclass) as view
      from crmshift.feed as f join crmshift.mapping as m on m.name = f.mapping
     where m.direction = 'to_target' and f.mode = 'sync'
), parties as (
    select distinct p.legacy, p.target, r.oid, r.rolname
      from pair as p
      join pg_class as c on c.oid in (to_regclass(p.legacy), to_regclass(p.target))
     cross join lateral aclexplode(c.relacl) as x
      join pg_roles as r on r.oid = x.grantee and not r.rolsuper
     where not exists (select from pg_class as o where o.oid in (to_regclass(p.legacy), to_regclass(p.target)) and pg_has_role(r.oid, o.relowner, 'usage'))
), differing as (
    select r.target, r.rolname, r.legacy, v.privilege, has_table_privilege(r.oid, r.target, v.privilege) as on_target
      from parties as r cross join (values ('select'), ('insert'), ('update'), ('delete')) as v (privilege)
     where has_table_privilege(r.oid, r.target, v.privilege) <> has_table_privilege(r.oid, r.legacy, v.privilege)
), policy as (
    -- As they would read on the target, and without what makes no difference: parentheses, blanks, casts, and how an unset setting is taken.
    select p.legacy, p.target, o.polrelid, o.polname, o.polpermissive, o.polcmd, o.polroles, w.*
      from pair as p
      join pg_policy as o on o.polrelid in (to_regclass(p.legacy), to_regclass(p.target))
      left join lateral (
          -- columns of legacy that the view gives another name: c.phone_number::text AS phone1, without the c where it reads one table only
          select array_agg(m[1]) as of_legacy, array_agg(m[2]) as of_target
            from regexp_matches(p.view, '(?<![.\w])(?:' || substring(p.view from '\m' || replace(p.legacy, '.', '\.') || ' (\w+)')
                                        || '\.)?(\w+)\)?(?:::[a-z ]+)? AS (\w+)', 'g') as m
      ) as n on o.polrelid = to_regclass(p.legacy)
     cross join lateral (
          select (select replace(string_agg(coalesce(n.of_target[array_position(n.of_legacy, m[1])], m[1]) || m[2], '' order by i), ' ', '')
                    from regexp_matches(regexp_replace(regexp_replace(regexp_replace(lower(x.words),
                             '::(text|uuid|character varying|integer|bigint)', '', 'g'),
                             'nullif\((current_setting\([^()]*\)), ''''\)', '\1', 'g'),
                             ', true\)|[() ]', ' ', 'g'), '(\w+|^)(\W+|$)', 'g') with ordinality as t (m, i))
            from (values (concat_ws(' check ', pg_get_expr(o.polqual, o.polrelid), pg_get_expr(coalesce(o.polwithcheck, o.polqual), o.polrelid)))) as x (words)
     ) as w (words)
)
select d.target, jsonb_build_object('role', d.rolname),
       format('may %s here, and not in %s', string_agg(d.privilege, ', '), d.legacy)
  from differing as d
 where d.on_target
   and not exists (select from crmshift.objects(array['grant']) as o join crmshift.installed as i using (kind, subject, name, definition)
                    where o.subject = d.target and o.name = d.rolname)
 group by d.target, d.rolname, d.legacy
union all
select d.target, jsonb_build_object('role', d.rolname),
       format('may %s in %s, and not here', string_agg(d.privilege, ', '), d.legacy)
  from differing as d
 where not d.on_target
   and not exists (select from crmshift.objects(array['grant']) as o join crmshift.installed as i using (kind, subject, name, definition)
                    where o.subject = d.legacy and o.name = d.rolname)
 group by d.target, d.rolname, d.legacy
union all
select l.target, jsonb_build_object('policy', l.polname), format('what this policy says of %s, none says here', l.legacy)
  from policy as l join pg_class as c on c.oid = l.polrelid and c.relrowsecurity
 where l.polrelid = to_regclass(l.legacy)
   and not exists (select from policy as t
                    where t.polrelid = to_regclass(l.target) and t.legacy = l.legacy and t.target = l.target and t.polpermissive = l.polpermissive
                      and t.polcmd in ('*', l.polcmd) and (t.polroles @> l.polroles or t.polroles = '{0}') and t.words = l.words)
   and not exists (select from crmshift.objects(array['policy']) as o join crmshift.installed as i using (kind, subject, name, definition)
                    where o.subject = l.legacy and o.name = l.polname)
$$;
comment on function crmshift.check_access_parity(uuid) is 'Roles may do on the target what they may do in legacy, and not more

Severity: warning
Do: grant, revoke or create the policy. If it is meant so: select crmshift.accept_object(''grant'', the table where it may, role), or accept_object(''policy'', table of legacy, policy).';
