-- From a mapping to statements: the writer, the drift query and the triggers of a table are derived, never written twice.
--
-- mapping_statements and trigger_statements turn a description (jsonb) into statements and touch no catalogue, so
-- plan can run their bodies as plain queries before anything is installed. describe_mapping and describe_source
-- read the same description back from the catalogue of a database where the mappings are installed.

create function crmshift.mapping_statements(mapping jsonb)
returns table (ordinal integer, object text, statement text)
language sql stable
as $derive$
with m as (
    select j ->> 'name' as name,
           format('crmshift.%I', (j ->> 'name') || '_expected') as view,
           (select string_agg(quote_ident(p), '.') from unnest(parse_ident(j ->> 'target')) as p) as target,
           ' and ' || (j ->> 'only_where') as and_only,
           ' where ' || (j ->> 'conflict_where') as where_conflict,
           j ->> 'before_remove' as before_remove,
           (j ->> 'lock_target')::boolean as lock_target,
           array(select jsonb_array_elements_text(j -> 'key')) as key,
           array(select jsonb_array_elements_text(j -> 'key_types')) as key_types,
           array(select c from jsonb_array_elements_text(j -> 'columns') as c where c not like '%\_agrees') as columns,
           array(select c from jsonb_array_elements_text(j -> 'columns') as c where c like '%\_agrees') as agrees,
           j -> 'feeds_back' as feeds_back
      from (select $1) as given (j)
), k as (
    select string_agg(format('%I %s[]', 'of_' || c, m.key_types[i]), ', ' order by i) as parameters,
           string_agg(format('$%s', i), ', ' order by i) as arguments,
           string_agg(quote_ident(c), ', ' order by i) as columns,
           string_agg(format('e.%I', c), ', ' order by i) as e_columns,
           string_agg(format('t.%I', c), ', ' order by i) as t_columns,
           string_agg(format('e.%1$I = k.%1$I', c), ' and ' order by i) as e_is_k,
           string_agg(format('t.%1$I = k.%1$I', c), ' and ' order by i) as t_is_k,
           string_agg(format('t.%1$I = e.%1$I', c), ' and ' order by i) as t_is_e,
           string_agg(format('w.%1$I = d.%1$I', c), ' and ' order by i) as w_is_d,
           string_agg(format('%L, coalesce(e.%2$I, t.%2$I)', c, c), ', ' order by i) as named,
           string_agg(format('gone_%s %s[]', i, m.key_types[i]), '; ' order by i) as gone_declared,
           string_agg(format('array_agg(t.%I)', c), ', ' order by i) as gone_collected,
           string_agg(format('gone_%s', i), ', ' order by i) as gone
      from m, unnest(m.key) with ordinality as u (c, i)
), c as (
    select string_agg(quote_ident(c), ', ' order by i) as columns,
           string_agg(format('d.%I', c), ', ' order by i) as d_columns,
           string_agg(format('e.%I', c), ', ' order by i) as e_columns,
           string_agg(format('t.%I', c), ', ' order by i) as t_columns,
           string_agg(format('w.%I', c), ', ' order by i) as w_columns,
           string_agg(format('%1$I = excluded.%1$I', c), ', ' order by i) filter (where c <> all (m.key)) as assignments,
           -- a column with a companion <column>_agrees is compared by it, not by value
           string_agg(format('t.%I', c), ', ' order by i)
               filter (where c <> all (m.key) and c || '_agrees' <> all (m.agrees)) as t_compared,
           string_agg(format('e.%I', c), ', ' order by i)
               filter (where c <> all (m.key) and c || '_agrees' <> all (m.agrees)) as e_compared,
           coalesce(string_agg(format(' or not e.%I', c || '_agrees'), '' order by i)
               filter (where c || '_agrees' = any (m.agrees)), '') as or_disagrees,
           string_agg(case when c || '_agrees' = any (m.agrees)
                           then format('case when not e.%I then %L end', c || '_agrees', c)
                           else format('case when t.%1$I is distinct from e.%1$I then %2$L end', c, c) end,
                      E',\n                        ' order by i) filter (where c <> all (m.key)) as differing
      from m, unnest(m.columns) with ordinality as u (c, i)
), f as (
    select coalesce(string_agg(format($sql$
    if uneven is not null then  -- a trigger on %1$s changed what was written: the other side follows
        insert into crmshift.sync_queue (mapping, key, reason)
        select %2$L, jsonb_build_object(%3$s), 'nested' from jsonb_array_elements(uneven) as u (r);
        perform set_config('crmshift.noted', 'yes', true);
    end if;$sql$, (select target from m), b ->> 'mapping',
               (select string_agg(format('%L, u.r -> %L', to_name, from_name), ', ')
                  from rows from (jsonb_array_elements_text(b -> 'key'), jsonb_array_elements_text(b -> 'columns'))
                    as pair (to_name, from_name))), ''), '') as noting,
           coalesce((select string_agg(distinct format('%L, w.%I', n, n), ', ')
                       from m, jsonb_array_elements(m.feeds_back) as b2, jsonb_array_elements_text(b2 -> 'columns') as n), '') as noted
      from m left join jsonb_array_elements(m.feeds_back) as b on true
), workspace as (
    select 'workspace_id' = any (m.columns) as known from m
)
select 1, format('crmshift.fill_%s', m.name), format($sql$create or replace function crmshift.%1$I(%2$s) returns bigint
language plpgsql
as $writer$
-- Insert what %3$s lacks of these keys, and leave alone what is there.
declare
    written bigint;
begin
    perform set_config('crmshift.writing', %14$L, true);
    insert into %3$s (%4$s)
    select %5$s
      from unnest(%6$s) as k (%7$s)
      join %8$s as e on %9$s
     where not exists (select from %3$s as t where %10$s%11$s)
     order by %12$s
    on conflict (%7$s)%13$s do nothing;
    get diagnostics written = row_count;
    return written;
end
$writer$$sql$, 'fill_' || m.name, k.parameters, m.target, c.columns, c.e_columns, k.arguments, k.columns, m.view, k.e_is_k,
       k.t_is_e, coalesce(m.and_only, ''), k.e_columns, coalesce(m.where_conflict, ''), m.target)
  from m, k, c
union all
select 2, format('crmshift.sync_%s', m.name), format($sql$create or replace function crmshift.%1$I(%2$s) returns bigint
language plpgsql
as $writer$
-- Make %3$s hold what %8$s says for these keys; returns how many of them it speaks of.
declare
    expected bigint;
    uneven jsonb;
begin%15$s
    perform set_config('crmshift.writing', %25$L, true);
    with e as materialized (
        select e.* from (select distinct * from unnest(%6$s) as k (%7$s)) as k join %8$s as e on %9$s
    ), d as materialized (
        select e.*
          from e left join %3$s as t on %10$s%11$s
         where t.%16$I is null or (%17$s) is distinct from (%18$s)%19$s
    ), w as (
        insert into %3$s as t (%4$s)
        select %5$s from d order by %12$s
        on conflict (%7$s)%13$s do update set %14$s
        returning t.*
    )
    select (select count(*) from e),
           (select jsonb_agg(jsonb_build_object(%20$s)) from w join d on %21$s where (%22$s) is distinct from (%23$s))
      into expected, uneven;%24$s
    return expected;
end
$writer$$sql$, 'sync_' || m.name, k.parameters, m.target, c.columns, c.d_columns, k.arguments, k.columns, m.view, k.e_is_k,
       k.t_is_e, coalesce(m.and_only, ''), replace(k.e_columns, 'e.', 'd.'),
       coalesce(m.where_conflict, ''), c.assignments,
       case when m.lock_target then format($lock$
    -- Several tables feed this one: take its rows first, so that the next statement sees what others committed.
    perform from %1$s as t join unnest(%2$s) as k (%3$s) on %4$s order by %5$s for no key update of t;$lock$,
           m.target, k.arguments, k.columns, k.t_is_k, k.t_columns) else '' end,
       m.key[1], c.t_compared, c.e_compared, c.or_disagrees, f.noted, k.w_is_d, c.w_columns, c.d_columns, f.noting, m.target)
  from m, k, c, f
union all
select 3, format('crmshift.remove_%s', m.name), format($sql$create or replace function crmshift.%1$I(%2$s) returns bigint
language plpgsql
as $writer$
-- Delete from %3$s those of these keys that %4$s does not speak of.
declare
    %5$s;
begin
    select %6$s into %7$s
      from unnest(%8$s) as k (%9$s)
      join %3$s as t on %10$s%11$s
     where not exists (select from %4$s as e where %12$s);
    if gone_1 is null then
        return 0;
    end if;%13$s
    perform set_config('crmshift.writing', %14$L, true);
    delete from %3$s as t using unnest(%7$s) as k (%9$s) where %10$s%11$s;
    return cardinality(gone_1);
end
$writer$$sql$, 'remove_' || m.name, k.parameters, m.target, m.view, k.gone_declared, k.gone_collected, k.gone,
       k.arguments, k.columns, k.t_is_k, coalesce(m.and_only, ''), k.t_is_e,
       coalesce(E'\n    perform ' || m.before_remove || '(' || k.gone || ');', ''), m.target)
  from m, k
union all
select 4, format('crmshift.drift_%s', m.name), format($sql$create or replace function crmshift.%1$I(of_workspace uuid default null)
returns table (key jsonb, kind text, columns text[])
language sql stable
as $drift$
-- Where %2$s differs from %3$s. One statement, so one snapshot: no false alarms under live writes.
select jsonb_build_object(%4$s),
       case when t.%5$I is null then 'missing' when e.%5$I is null then 'extra' else 'differs' end,
       case when t.%5$I is not null and e.%5$I is not null
            then array_remove(array[
                        %6$s], null) end
  from (select * from %3$s%7$s) as e
  full join (select * from %2$s as t where true%8$s%9$s) as t on %10$s
 where t.%5$I is null or e.%5$I is null or (%11$s) is distinct from (%12$s)%13$s
$drift$$sql$, 'drift_' || m.name, m.target, m.view, k.named, m.key[1], c.differing,
       case when w.known then ' where $1 is null or workspace_id = $1' else '' end,
       case when w.known then ' and ($1 is null or workspace_id = $1)' else '' end,
       coalesce(m.and_only, ''), k.t_is_e, c.t_compared, c.e_compared, c.or_disagrees)
  from m, k, c, workspace as w
$derive$;
comment on function crmshift.mapping_statements(jsonb) is 'The functions of a mapping, derived from its description: fill_, sync_, remove_ and drift_<name>.';

create function crmshift.trigger_statements(source jsonb)
returns table (ordinal integer, object text, statement text)
language sql stable
as $derive$
with s as (
    select (select string_agg(quote_ident(p), '.') from unnest(parse_ident(j ->> 'source')) as p) as source,
           (parse_ident(j ->> 'source'))[1] as schema,
           (parse_ident(j ->> 'source'))[2] as name,
           j ->> 'direction' as direction,
           j ->> 'lock_timeout' as lock_timeout,
           array(select jsonb_array_elements_text(j -> 'keys')) as keys,
           array(select jsonb_array_elements_text(j -> 'key_types')) as key_types,
           array(select jsonb_array_elements_text(j -> 'reads')) as reads,
           j -> 'feeds' as feeds,
           j -> 'own' as own
      from (select $1) as given (j)
), k as (
    select string_agg(format('%I %s[]', 'of_' || c, s.key_types[i]), ', ' order by i) as parameters,
           string_agg(format('%s %s[]', 'k' || i, s.key_types[i]), '; ' order by i) as declared,
           string_agg('k' || i, ', ' order by i) as variables,
           string_agg(format('array_agg(%I)', c), ', ' order by i) as collected,
           string_agg(quote_ident(c), ', ' order by i) as columns,
           string_agg(format('$%s[:half]', i), ', ' order by i) as first_half,
           string_agg(format('$%s[half + 1:]', i), ', ' order by i) as second_half,
           string_agg(format('%L, coalesce(w.%2$I, n.%2$I)', c, c), ', ' order by i) as named
      from s, unnest(s.keys) with ordinality as u (c, i)
), r as (
    select string_agg(quote_ident(c), ', ' order by c) as reads from s, unnest(s.reads) as c
), f as (
    select ordinality as i, x ->> 'mapping' as mapping, x ->> 'mode' as mode, x ->> 'prepare' as prepare,
           (select string_agg(format('$%s', array_position(s.keys, c)), ', ' order by o)
              from jsonb_array_elements_text(x -> 'columns') with ordinality as a (c, o)) as arguments,
           (select string_agg(format('%L, (k%s)[i]', key, array_position(s.keys, c)), ', ' order by o)
              from rows from (jsonb_array_elements_text(x -> 'key'), jsonb_array_elements_text(x -> 'columns'))
                   with ordinality as a (key, c, o)) as named_k,
           (select string_agg(format('%L, ($%s)[1]', key, array_position(s.keys, c)), ', ' order by o)
              from rows from (jsonb_array_elements_text(x -> 'key'), jsonb_array_elements_text(x -> 'columns'))
                   with ordinality as a (key, c, o)) as named_1
      from s, jsonb_array_elements(s.feeds) with ordinality as a (x, ordinality)
), own as (
    -- the mappings that say what this very table should hold
    select string_agg(format('(%L, jsonb_build_object(%s))', x ->> 'mapping',
                             (select string_agg(format('%L, (k%s)[i]', c, array_position(s.keys, c)), ', ' order by o)
                                from jsonb_array_elements_text(x -> 'key') with ordinality as a (c, o))), ', ' order by x ->> 'mapping') as noted
      from s, jsonb_array_elements(s.own) as x
), calls as (
    select string_agg(case when mode = 'fill' then format('        perform crmshift.%I(%s);', 'fill_' || mapping, arguments)
                           else coalesce('        perform ' || prepare || '(' || arguments || E');\n', '')
                                || format('        expected_%s := crmshift.%I(%s);', i, 'sync_' || mapping, arguments) end,
                      E'\n' order by i) as writes,
           string_agg(format(E'        if expected_%1$s < cardinality($1) then\n            perform crmshift.%2$I(%3$s);\n        end if;',
                             i, 'remove_' || mapping, arguments),
                      E'\n' order by i desc) filter (where mode = 'sync') as removals,
           string_agg(format(E'    expected_%s bigint;\n', i), '' order by i) filter (where mode = 'sync') as declared,
           string_agg(format('(%L, jsonb_build_object(%s))', mapping, named_1), ', ' order by i) filter (where mode = 'sync') as queued,
           string_agg(format('(%L, jsonb_build_object(%s))', mapping, named_k), ', ' order by i) filter (where mode = 'sync') as noted
      from f
)
select 1, format('crmshift.sync_from_%s', s.name), format($sql$create or replace function crmshift.%1$I(%2$s) returns bigint
language plpgsql
as $sync$
-- Bring everything up to date that reads these rows of %3$s. A failure never reaches the caller: the batch is
-- halved until the bad keys stand alone, and those are queued. Returns how many were queued.
declare
%4$s    half integer := cardinality($1) / 2;
    state text; why text; violated text; in_table text; in_column text;
begin
    begin
        perform set_config('crmshift.depth', pg_trigger_depth()::text, true);
%5$s
%6$s
        if current_setting('crmshift.noted', true) = 'yes' then
            perform crmshift.settle();
        end if;
        perform set_config('crmshift.depth', '', true);
        return 0;
    exception when others then
        get stacked diagnostics state = returned_sqlstate, why = message_text, violated = constraint_name,
                                in_table = table_name, in_column = column_name;
    end;
    if half = 0 then
        insert into crmshift.sync_queue (mapping, key, reason, sqlstate, message, constraint_name, table_name, column_name)
        select mapping, key, 'failed', state, why, nullif(violated, ''), nullif(in_table, ''), nullif(in_column, '')
          from (values %7$s) as q (mapping, key);
        return 1;
    end if;
    perform set_config('lock_timeout', '10ms', true);  -- the full wait was spent above; do not spend it again for each half
    return crmshift.%1$I(%8$s) + crmshift.%1$I(%9$s);
end
$sync$$sql$, 'sync_from_' || s.name, k.parameters, s.source, calls.declared, calls.writes, calls.removals, calls.queued,
       k.first_half, k.second_half)
  from s, k, calls
union all
select 2, format('crmshift.tg_%s', s.name), format($sql$create or replace function crmshift.%1$I() returns trigger
language plpgsql security definer
set search_path = pg_catalog, %2$I, pg_temp
set lock_timeout = %3$L
set plan_cache_mode = force_generic_plan
as $trigger$
-- After a statement on %4$s: collect the keys whose mapped columns changed, and have them synced.
declare
    depth integer := nullif(current_setting('crmshift.depth', true), '')::integer;
    %5$s;
begin
    if pg_trigger_depth() = depth + 1 and current_setting('crmshift.writing', true) = %4$L then
        return null;  -- our own writer's statement; it has compared what it wrote
    end if;
    if tg_op = 'INSERT' then
        select %6$s into %7$s from (select distinct %8$s from changed) as x;
    elsif tg_op = 'DELETE' then
        select %6$s into %7$s from (select distinct %8$s from was) as x;
    elsif tg_op = 'UPDATE' then
        select %6$s into %7$s from (
            select distinct %8$s from (
                (select %9$s from changed except all select %9$s from was)
                union all
                (select %9$s from was except all select %9$s from changed)) as y) as x;
    else
        perform crmshift.after_truncate(%10$L);
        return null;
    end if;
    if k1 is null then
        return null;
    end if;
    if depth is not null then  -- inside a sync; settled before it ends
        if pg_trigger_depth() = depth + 1 then  -- a cascade of the writer's own statement: these rows are made out anew
            insert into crmshift.sync_queue (mapping, key, reason)
            select q.mapping, q.key, 'nested' from generate_subscripts(k1, 1) as i, lateral (values %14$s) as q (mapping, key);
        else  -- a trigger of the application wrote here: it is followed to the other side
            insert into crmshift.sync_queue (mapping, key, reason)
            select q.mapping, q.key, 'nested' from generate_subscripts(k1, 1) as i, lateral (values %11$s) as q (mapping, key);
        end if;
        perform set_config('crmshift.noted', 'yes', true);
        return null;
    end if;
    if crmshift.%12$I(%7$s) > 0 then
        if tg_op = 'INSERT' then
            perform crmshift.note_changes(%13$L, array(select to_jsonb(n) from changed as n), null);
        elsif tg_op = 'DELETE' then
            perform crmshift.note_changes(%13$L, null, array(select to_jsonb(w) from was as w));
        else
            perform crmshift.note_changes(%13$L, array(select to_jsonb(n) from changed as n), array(select to_jsonb(w) from was as w));
        end if;
    end if;
    return null;
end
$trigger$$sql$, 'tg_' || s.name, s.schema, s.lock_timeout, s.source, k.declared, k.collected, k.variables, k.columns, r.reads,
       s.direction, calls.noted, 'sync_from_' || s.name, s.schema || '.' || s.name, own.noted)
  from s, k, r, calls, own
union all
select 3, format('trigger crmshift_sync_insert on %s', s.source), format($sql$create trigger crmshift_sync_insert
after insert on %1$s referencing new table as changed
for each statement execute function crmshift.%2$I()$sql$, s.source, 'tg_' || s.name)
  from s
union all
select 4, format('trigger crmshift_sync_update on %s', s.source), format($sql$create trigger crmshift_sync_update
after update on %1$s referencing old table as was new table as changed
for each statement execute function crmshift.%2$I()$sql$, s.source, 'tg_' || s.name)
  from s
union all
select 5, format('trigger crmshift_sync_delete on %s', s.source), format($sql$create trigger crmshift_sync_delete
after delete on %1$s referencing old table as was
for each statement execute function crmshift.%2$I()$sql$, s.source, 'tg_' || s.name)
  from s
union all
select 6, format('trigger crmshift_sync_truncate on %s', s.source), format($sql$create trigger crmshift_sync_truncate
after truncate on %1$s
for each statement execute function crmshift.%2$I()$sql$, s.source, 'tg_' || s.name)
  from s
$derive$;
comment on function crmshift.trigger_statements(jsonb) is 'How writes on a table reach the writers, derived from its description: sync_from_<table>, tg_<table> and the four triggers.';

-- Which columns of which tables a view reads, as pg_depend knows.
create view crmshift.mapping_reads as
select m.name as mapping, format('%s.%s', n.nspname, c.relname) as source, a.attname::text as column_name
  from crmshift.mapping as m
  join pg_catalog.pg_rewrite as r on r.ev_class = to_regclass(format('crmshift.%I', m.name || '_expected'))
  join pg_catalog.pg_depend as d on d.classid = 'pg_rewrite'::regclass and d.objid = r.oid
       and d.refclassid = 'pg_class'::regclass and d.refobjsubid > 0
  join pg_catalog.pg_class as c on c.oid = d.refobjid
  join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
  join pg_catalog.pg_attribute as a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid
 where c.oid <> r.ev_class
 group by 1, 2, 3;
comment on view crmshift.mapping_reads is 'Columns each mapping view reads.';

create function crmshift.describe_mapping(of_mapping text) returns jsonb
language sql stable
as $$
select jsonb_build_object(
           'name', m.name, 'target', m.target, 'key', m.key, 'key_types', m.key_types,
           'only_where', m.only_where, 'conflict_where', m.conflict_where, 'before_remove', m.before_remove,
           'lock_target', (select count(*) > 1 from crmshift.feed as f where f.mapping = m.name and f.mode = 'sync'),
           'columns', (select jsonb_agg(a.attname order by a.attnum) from pg_catalog.pg_attribute as a
                        where a.attrelid = to_regclass(format('crmshift.%I', m.name || '_expected')) and a.attnum > 0 and not a.attisdropped),
           'feeds_back', (select coalesce(jsonb_agg(jsonb_build_object('mapping', b.name, 'key', b.key, 'columns', f.key) order by b.position), '[]')
                            from crmshift.feed as f join crmshift.mapping as b on b.name = f.mapping
                           where f.source = m.target and f.mode = 'sync'))
  from crmshift.mapping as m
 where m.name = $1
$$;
comment on function crmshift.describe_mapping(text) is 'Description of an installed mapping, for mapping_statements.';

create function crmshift.describe_source(of_table text) returns jsonb
language sql stable
as $$
with f as (
    select f.*, m.position, m.direction, m.key as mapping_key, m.key_types
      from crmshift.feed as f join crmshift.mapping as m on m.name = f.mapping
     where f.source = $1
), k as (
    -- the first feed that names a column says its type; sync feeds first, so that a table's own key leads
    select c, t, min(array[(mode = 'fill')::integer, position, i::integer]) as rank
      from f, unnest(f.key, f.key_types) with ordinality as u (c, t, i) group by c, t
)
select jsonb_build_object(
           'source', $1, 'direction', min(f.direction), 'lock_timeout', '500ms',
           'own', (select coalesce(jsonb_agg(jsonb_build_object('mapping', m.name, 'key', m.key) order by m.name), '[]')
                     from crmshift.mapping as m where m.target = $1),
           'keys', (select jsonb_agg(c order by rank) from k),
           'key_types', (select jsonb_agg(t order by rank) from k),
           'reads', (select jsonb_agg(c order by c) from (
                         select r.column_name from crmshift.mapping_reads as r join f as g on g.mapping = r.mapping and g.mode = 'sync'
                          where r.source = $1
                         union select c from k) as x (c)),
           'feeds', jsonb_agg(jsonb_build_object('mapping', f.mapping, 'key', f.mapping_key, 'columns', f.key, 'mode', f.mode, 'prepare', f.prepare)
                              order by f.position))
  from f
$$;
comment on function crmshift.describe_source(text) is 'Description of a table whose writes are synced, for trigger_statements.';
