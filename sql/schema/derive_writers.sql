-- From the description of a mapping to its functions: fill_, sync_, remove_, drift_ and verdict_<name>. The column list of a table
-- is written once, in its view; everything else is derived from it here.
--
-- The function touches no catalogue, so plan can run its body as a plain query before anything is installed.

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
           array(select jsonb_array_elements_text(j -> 'columns')) as columns,
           j -> 'agrees' as agrees,
           j ->> 'side' as side,
           j -> 'subjects' as subjects
      from (select $1) as given (j)
), k as (
    select string_agg(format('%I %s[]', 'of_' || c, m.key_types[i]), ', ' order by i) as parameters,
           string_agg(format('$%s', i), ', ' order by i) as arguments,
           string_agg(quote_ident(c), ', ' order by i) as columns,
           string_agg(format('e.%I', c), ', ' order by i) as e_columns,
           string_agg(format('t.%I', c), ', ' order by i) as t_columns,
           string_agg(format('e.%1$I = k.%1$I', c), ' and ' order by i) as e_is_k,
           string_agg(format('e.%I = ($%s)[1]', c, i), ' and ' order by i) as e_is_only,
           string_agg(format('t.%I = ($%s)[1]', c, i), ' and ' order by i) as t_is_only,
           string_agg(format('t.%1$I = k.%1$I', c), ' and ' order by i) as t_is_k,
           string_agg(format('t.%1$I = e.%1$I', c), ' and ' order by i) as t_is_e,
           string_agg(format('w.%1$I = d.%1$I', c), ' and ' order by i) as w_is_d,
           string_agg(format('%L, coalesce(e.%2$I, t.%2$I)', c, c), ', ' order by i) as named,
           string_agg(format('%L, k.%I', c, c), ', ' order by i) as k_named,
           string_agg(format('gone_%s %s[]', i, m.key_types[i]), '; ' order by i) as gone_declared,
           string_agg(format('array_agg(t.%I)', c), ', ' order by i) as gone_collected,
           string_agg(format('(j ->> %L)::%s as %I', c, m.key_types[i], c), ', ' order by i) as of_json,
           -- r stands for either side; on both a key has the same type, and therefore the same hash
           -- of the first column by itself the planner knows how many rows are in range; of a row of columns it does not
           format('($2 is null or %s) and ($3 is null or %s)'
                  ' and ($4 is null or hash_record_extended(row(%s), $5) & 1048575 < $4 / 100 * 1048576)',
                  string_agg(format(case when i < cardinality(m.key) then 'r.%1$I >= ($2 ->> %1$L)::%2$s and (r.%1$I > ($2 ->> %1$L)::%2$s or '
                                         else 'r.%1$I > ($2 ->> %1$L)::%2$s' end, c, m.key_types[i]), '' order by i) || repeat(')', cardinality(max(m.key)) - 1),
                  string_agg(format(case when i < cardinality(m.key) then 'r.%1$I <= ($3 ->> %1$L)::%2$s and (r.%1$I < ($3 ->> %1$L)::%2$s or '
                                         else 'r.%1$I <= ($3 ->> %1$L)::%2$s' end, c, m.key_types[i]), '' order by i) || repeat(')', cardinality(max(m.key)) - 1),
                  string_agg(format('r.%I::%s', c, m.key_types[i]), ', ' order by i)) as in_range,
           string_agg(format('gone_%s', i), ', ' order by i) as gone
      from m, unnest(m.key) with ordinality as u (c, i)
), c as (
    select string_agg(quote_ident(c), ', ' order by i) as columns,
           string_agg(format('d.%I', c), ', ' order by i) as d_columns,
           string_agg(format('e.%I', c), ', ' order by i) as e_columns,
           string_agg(format('t.%I', c), ', ' order by i) as t_columns,
           string_agg(format('w.%I', c), ', ' order by i) as w_columns,
           string_agg(format('one.%I', c), ', ' order by i) as one_columns,
           string_agg(format('stored.%I', c), ', ' order by i) as stored_columns,
           -- a column that only_where asks to be true is so already: assigning it would fire the triggers on it for nothing
           string_agg(quote_ident(c), ', ' order by i) filter (where u.assigned) as other_columns,
           string_agg(format('one.%I', c), ', ' order by i) filter (where u.assigned) as one_others,
           string_agg(format('d.%I', c), ', ' order by i) filter (where u.assigned) as d_others,
           string_agg(format('%1$I = excluded.%1$I', c), ', ' order by i) filter (where u.assigned) as assignments,
           -- a column that crmshift.comparison speaks of is compared by its condition, not by value
           string_agg(format('t.%I', c), ', ' order by i)
               filter (where c <> all (m.key) and not m.agrees ? c) as t_compared,
           string_agg(format('e.%I', c), ', ' order by i)
               filter (where c <> all (m.key) and not m.agrees ? c) as e_compared,
           coalesce(string_agg(format(' or (%s) is not true', m.agrees ->> c), '' order by i) filter (where m.agrees ? c), '') as or_disagrees,
           string_agg(case when m.agrees ? c
                           then format('case when (%s) is not true then %L end', m.agrees ->> c, c)
                           else format('case when t.%1$I is distinct from e.%1$I then %2$L end', c, c) end,
                      E',\n                        ' order by i) filter (where c <> all (m.key)) as differing,
           format('(%s) is distinct from (%s)%s',
                  string_agg(format('t.%I', c), ', ' order by i) filter (where c <> all (m.key) and not m.agrees ? c),
                  string_agg(format('e.%I', c), ', ' order by i) filter (where c <> all (m.key) and not m.agrees ? c),
                  string_agg(format(' or (%s) is not true', m.agrees ->> c), '' order by i) filter (where m.agrees ? c)) as differ
      from m cross join lateral (
               select v.c, v.i, v.c <> all (m.key) and m.and_only is distinct from format(' and t.%I', v.c) as assigned
                 from unnest(m.columns) with ordinality as v (c, i)) as u
), f as (
    select coalesce(string_agg(format($sql$
    if uneven is not null then  -- a trigger on %1$s changed what was written: the other side follows
        insert into crmshift.sync_queue (subject, key, side, reason)
        select %2$L, jsonb_build_object(%3$s), %4$L, 'nested' from jsonb_array_elements(uneven) as u (r);
        perform set_config('crmshift.noted', 'yes', true);
    end if;$sql$, (select target from m), b ->> 'subject',
               (select string_agg(format('%L, u.r -> %L', to_name, from_name), ', ')
                  from rows from (jsonb_array_elements_text(b -> 'key'), jsonb_array_elements_text(b -> 'columns'))
                    as pair (to_name, from_name)), (select side from m)), ''), '') as noting,
           coalesce((select string_agg(distinct format('%L, w.%I', n, n), ', ')
                       from m, jsonb_array_elements(m.subjects) as b2, jsonb_array_elements_text(b2 -> 'columns') as n), '') as noted,
           coalesce((select string_agg(distinct format('%L, stored.%I', n, n), ', ')
                       from m, jsonb_array_elements(m.subjects) as b2, jsonb_array_elements_text(b2 -> 'columns') as n), '') as noted_stored
      from m left join jsonb_array_elements(m.subjects) as b on true
), workspace as (
    select 'workspace_id' = any (m.columns) as known from m
)
select 1, format('crmshift.fill_%s', m.name), format($sql$create or replace function crmshift.%1$I(%2$s) returns bigint
language plpgsql
as $writer$
-- Insert what %3$s lacks of these keys, and leave alone what is there.
declare
    written bigint;
    uneven jsonb;
begin
    if current_setting('transaction_isolation') <> 'read committed' then  -- what an old snapshot shows may have changed: that fails here
        perform crmshift.lock_sources(%20$L, (select jsonb_agg(jsonb_build_object(%21$s)) from unnest(%6$s) as k (%7$s)));
    end if;
    perform set_config('crmshift.writing', %14$L, true);
    with d as materialized (
        select %5$s
          from unnest(%6$s) as k (%7$s)
          join %8$s as e on %9$s
         where not exists (select from %3$s as t where %10$s%11$s)
    ), w as (
        insert into %3$s as t (%4$s)
        select %15$s from d order by %12$s
        on conflict (%7$s)%13$s do nothing
        returning t.*
    )
    select (select count(*) from w),
           (select jsonb_agg(jsonb_build_object(%16$s)) from w join d on %17$s where (%18$s) is distinct from (%15$s))
      into written, uneven;%19$s
    return written;
end
$writer$$sql$, 'fill_' || m.name, k.parameters, m.target, c.columns, c.e_columns, k.arguments, k.columns, m.view, k.e_is_k,
       k.t_is_e, coalesce(m.and_only, ''), replace(k.e_columns, 'e.', 'd.'), coalesce(m.where_conflict, ''), m.target,
       c.d_columns, f.noted, k.w_is_d, c.w_columns, f.noting, m.name, k.k_named)
  from m, k, c, f
union all
select 2, format('crmshift.sync_%s', m.name), format($sql$create or replace function crmshift.%1$I(%2$s) returns bigint
language plpgsql
as $writer$
-- Make %3$s hold what %4$s says for these keys; returns how many of them it speaks of.
declare
    expected bigint;
    suppressed bigint := 0;
    uneven jsonb;
    one record;
    stored record;
    another boolean;
    said text;
begin%5$s
    said := set_config('crmshift.writing', %6$L, true);
    if cardinality($1) = 1 then  -- what most statements write: the same, without what many rows need
        select e.*, t.%7$I is null as "lacks it", (%8$s) is distinct from (%9$s)%10$s as "differs in it" into one
          from %4$s as e left join %3$s as t on %11$s%12$s where %13$s;
        if not found then
            return 0;
        elsif one."lacks it" then
            insert into %3$s as t (%14$s) values (%15$s)
            on conflict (%16$s)%17$s do update set %18$s%19$s
            returning t.* into stored;
        elsif one."differs in it" then
            if current_setting('crmshift.inserting', true) = %37$L then
                raise exception 'The other side has another row under the same key.' using errcode = 'SH012';
            end if;
            update %3$s as t set (%20$s) = row(%21$s) where %22$s%12$s returning t.* into stored;
        else
            return 1;
        end if;
        expected := 1;
        suppressed := (not found)::integer;
        if found and (%23$s) is distinct from (%15$s) then
            uneven := jsonb_build_array(jsonb_build_object(%24$s));
        end if;
    else%34$s
        with e as materialized (
            select e.* from (select distinct * from unnest(%25$s) as k (%16$s)) as k join %4$s as e on %26$s
        ), d as materialized (
            select e.*, t.%7$I is null as "lacks it"
              from e left join %3$s as t on %11$s%12$s
             where t.%7$I is null or (%8$s) is distinct from (%9$s)%10$s
        ), u as (
            update %3$s as t set (%20$s) = row(%35$s) from d where not d."lacks it" and %36$s%12$s
            returning t.*
        ), i as (
            insert into %3$s as t (%14$s)
            select %27$s from d where d."lacks it" order by %28$s
            on conflict (%16$s)%17$s do update set %18$s%19$s
            returning t.*
        ), w as (
            select * from u union all select * from i
        )
        select (select count(*) from e), (select count(*) from d) - (select count(*) from w),
               (select jsonb_agg(jsonb_build_object(%29$s)) from w join d on %30$s where (%31$s) is distinct from (%27$s)),
               exists (select from u)
          into expected, suppressed, uneven, another;
        if another and current_setting('crmshift.inserting', true) = %37$L then
            raise exception 'The other side has another row under the same key.' using errcode = 'SH012';
        end if;
    end if;
    if suppressed > 0 then%32$s
        raise exception 'A trigger on %3$s suppressed the write.' using errcode = 'SH011';
    end if;%33$s
    return expected;
end
$writer$$sql$,
       'sync_' || m.name, k.parameters, m.target, m.view,
       case when m.lock_target then format($lock$
    -- Several tables feed this one: take its rows first, so that the next statement sees what others committed.
    perform from %1$s as t join unnest(%2$s) as k (%3$s) on %4$s order by %5$s for no key update of t;$lock$,
           m.target, k.arguments, k.columns, k.t_is_k, k.t_columns) else format($lock$
    if current_setting('transaction_isolation') <> 'read committed' then  -- what an old snapshot shows may have changed: that fails here
        perform from %1$s as t join unnest(%2$s) as k (%3$s) on %4$s order by %5$s for no key update of t;
    end if;$lock$,
           m.target, k.arguments, k.columns, k.t_is_k, k.t_columns) end,
       m.target, m.key[1], c.t_compared, c.e_compared, c.or_disagrees, k.t_is_e, coalesce(m.and_only, ''), k.e_is_only,
       c.columns, c.one_columns, k.columns, coalesce(m.where_conflict, ''), c.assignments,
       -- Nothing is taken over that the mapping does not speak of.
       case when m.and_only is not null and m.where_conflict is null then ' where ' || substr(m.and_only, 6) else '' end,
       c.other_columns, c.one_others, k.t_is_only, c.stored_columns, f.noted_stored, k.arguments, k.e_is_k, c.d_columns,
       replace(k.e_columns, 'e.', 'd.'), f.noted, k.w_is_d, c.w_columns,
       case when m.and_only is not null and m.where_conflict is null then format($strange$
        if exists (select from %1$s as t join unnest(%2$s) as k (%3$s) on %4$s where not (%5$s)) then
            raise exception 'There is a row of %1$s under the same key that the mapping %6$s does not speak of.'
                using errcode = 'SH013', hint = 'Give one of them another key.';
        end if;$strange$, m.target, k.arguments, k.columns, k.t_is_k, substr(m.and_only, 6), m.name) else '' end,
       f.noting,
       case when m.lock_target then '' else format($lock$
        perform from %1$s as t join unnest(%2$s) as k (%3$s) on %4$s order by %5$s for no key update of t;$lock$,
           m.target, k.arguments, k.columns, k.t_is_k, k.t_columns) end,
       c.d_others, replace(k.t_is_e, 'e.', 'd.'), m.name)
  from m, k, c, f
union all
select 3, format('crmshift.remove_%s', m.name), format($sql$create or replace function crmshift.%1$I(%2$s) returns bigint
language plpgsql
as $writer$
-- Delete from %3$s those of these keys that %4$s does not speak of.
declare
    %5$s;
    removed bigint;
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
    get diagnostics removed = row_count;
    if removed < cardinality(gone_1) then
        raise exception 'A trigger on %3$s suppressed the delete.' using errcode = 'SH011';
    end if;
    return removed;
end
$writer$$sql$, 'remove_' || m.name, k.parameters, m.target, m.view, k.gone_declared, k.gone_collected, k.gone,
       k.arguments, k.columns, k.t_is_k, coalesce(m.and_only, ''), k.t_is_e,
       coalesce(E'\n    perform ' || m.before_remove || '(' || k.gone || ');', ''), m.target)
  from m, k
union all
select 4, format('crmshift.drift_%s', m.name), format($sql$create or replace function crmshift.%1$I(
    of_workspace uuid default null, after jsonb default null, up_to jsonb default null, percent double precision default null,
    seed bigint default 0, columns_too boolean default true, every_row boolean default false)
returns table (key jsonb, kind text, columns text[])
language sql stable parallel safe
as $drift$
-- Where %2$s differs from %3$s, in a range of keys or a sample of them. One statement, so one snapshot: no false alarms
-- under live writes. It is inlined, so that what is not asked for costs nothing.
select jsonb_build_object(%4$s),
       case when t.%5$I is null then 'missing' when e.%5$I is null then 'extra' when $6 and (%6$s) then 'differs' end,
       case when t.%5$I is not null and e.%5$I is not null
            then array_remove(array[
                        %7$s], null) end
  from (select * from %3$s as e where %8$s%9$s) as e
  full join (select * from %2$s as t where %10$s%11$s%12$s) as t on %13$s
 where $7 or t.%5$I is null or e.%5$I is null or $6 and (%6$s)
$drift$$sql$, 'drift_' || m.name, m.target, m.view, k.named, m.key[1], c.differ, c.differing,
       replace(k.in_range, 'r.', 'e.'), case when w.known then ' and ($1 is null or e.workspace_id = $1)' else '' end,
       replace(k.in_range, 'r.', 't.'), case when w.known then ' and ($1 is null or t.workspace_id = $1)' else '' end,
       coalesce(m.and_only, ''), k.t_is_e)
  from m, k, c, workspace as w
union all
select 5, format('crmshift.verdict_%s', m.name), format($sql$create or replace function crmshift.%1$I(keys jsonb)
returns table (key jsonb, kind text, columns text[], workspace_id uuid, expected jsonb, found jsonb)
language sql stable parallel safe
as $verdict$
-- How %2$s and %3$s stand to each other for these keys; kind is null where they agree. By index, however large the tables are.
select jsonb_build_object(%4$s),
       case when t.%5$I is null then 'missing' when e.%5$I is null then 'extra' when %6$s then 'differs' end,
       case when t.%5$I is not null and e.%5$I is not null
            then array_remove(array[
                        %7$s], null) end,
       %8$s,
       case when e.%5$I is not null then (select to_jsonb(r) from (select %9$s) as r) end,
       case when t.%5$I is not null then (select to_jsonb(r) from (select %10$s) as r) end
  from (select distinct %11$s from jsonb_array_elements($1) as j) as k
  left join %3$s as e on %12$s
  left join %2$s as t on %13$s%14$s
 where e.%5$I is not null or t.%5$I is not null
$verdict$$sql$, 'verdict_' || m.name, m.target, m.view, k.k_named, m.key[1], c.differ, c.differing,
       case when w.known then 'coalesce(e.workspace_id, t.workspace_id)' else 'null::uuid' end, c.e_columns, c.t_columns,
       k.of_json, k.e_is_k, k.t_is_k, coalesce(m.and_only, ''))
  from m, k, c, workspace as w
$derive$;
comment on function crmshift.mapping_statements(jsonb) is 'The functions of a mapping, derived from its description: fill_, sync_, remove_, drift_ and verdict_<name>.';
