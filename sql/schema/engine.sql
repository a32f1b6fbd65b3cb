-- What the derived functions share: handing keys to a writer by name, settling what triggers did inside a sync, queueing
-- what cannot be synced. None of it knows any table.

create function crmshift.is_syncing() returns boolean
language sql stable
as $$ select nullif(current_setting('crmshift.depth', true), '') is not null $$;
comment on function crmshift.is_syncing() is 'True inside a sync or backfill. For your own triggers: do not send a reminder, mail or webhook for a row that only moved.';

create function crmshift.call_writer(verb text, of_mapping text, keys jsonb) returns bigint
language plpgsql
as $$
-- Call fill_, sync_ or remove_<mapping> with keys given as a json array of objects.
declare
    m crmshift.mapping;
    result bigint;
begin
    select * into m from crmshift.mapping where name = of_mapping;
    if not found then
        raise exception 'There is no mapping named %.', of_mapping
            using errcode = 'SH001', hint = 'select name from crmshift.mapping lists them.';
    end if;
    if jsonb_typeof(keys) <> 'array' or exists (select from jsonb_array_elements(keys) as k where not k ?& m.key) then
        raise exception 'Keys of the mapping % are an array of objects with %.', of_mapping, array_to_string(m.key, ', ')
            using errcode = 'SH004', hint = format('For example [{%s}].', (select string_agg(format('"%s": …', k), ', ') from unnest(m.key) as k));
    end if;
    execute format('select crmshift.%I(%s)', verb || '_' || m.name,
                   (select string_agg(format('array(select (k ->> %L)::%s from jsonb_array_elements($1) as k)', c, t), ', ' order by i)
                      from unnest(m.key, m.key_types) with ordinality as u (c, t, i)))
       into result using keys;
    return result;
end
$$;
comment on function crmshift.call_writer(text, text, jsonb) is 'Call fill_, sync_ or remove_<mapping> with keys given as a json array of objects.';

create function crmshift.rename_keys(keys jsonb, old_names text[], new_names text[]) returns jsonb
language sql immutable
as $$
select jsonb_agg((select jsonb_object_agg(new_name, k -> old_name) from unnest(old_names, new_names) as u (old_name, new_name)))
  from jsonb_array_elements(keys) as k
$$;
comment on function crmshift.rename_keys(jsonb, text[], text[]) is 'The same keys under other column names.';

create function crmshift.mappings_of(of_subject text, written text)
returns table (name text, key text[], columns text[], target text, only_where text, key_types text[], "position" integer)
language sql stable
as $$
-- written = legacy: what is made of the subject on the target. written = target: the legacy row itself.
select m.name, m.key, f.key, m.target, m.only_where, m.key_types, m.position
  from crmshift.mapping as s
  join crmshift.feed as f on f.source = s.target and f.mode = 'sync' and f.key <@ s.key
  join crmshift.mapping as m on m.name = f.mapping
 where s.name = $1 and $2 = 'legacy'
union all
select s.name, s.key, s.key, s.target, s.only_where, s.key_types, s.position
  from crmshift.mapping as s where s.name = $1 and $2 = 'target'
 order by 7
$$;
comment on function crmshift.mappings_of(text, text) is 'The mappings to bring up to date after one side of a subject was written, parents first, and the columns of the subject that give their keys.';

create function crmshift.lock_sources(of_mapping text, keys jsonb) returns void
language plpgsql
as $$
-- Hold the rows a mapping reads for these keys, so that what is read in the next statement cannot be overtaken.
-- FOR SHARE, because the keys are few and the rows of the other side will be overwritten.
declare
    f record;
begin
    for f in select feed.source, feed.key as columns, m.key, m.key_types
               from crmshift.feed join crmshift.mapping as m on m.name = feed.mapping
              where feed.mapping = of_mapping and feed.mode = 'sync' order by feed.source loop
        execute format('select 1 from %s as s where (%s) in (select %s from jsonb_array_elements($1) as k) order by %s for share of s',
                       f.source::regclass,
                       (select string_agg(format('s.%I', c), ', ' order by i) from unnest(f.columns) with ordinality as u (c, i)),
                       (select string_agg(format('(k ->> %L)::%s', c, t), ', ' order by i) from unnest(f.key, f.key_types) with ordinality as u (c, t, i)),
                       (select string_agg(format('s.%I', c), ', ' order by i) from unnest(f.columns) with ordinality as u (c, i)))
          using keys;
    end loop;
end
$$;
comment on function crmshift.lock_sources(text, jsonb) is 'Hold the rows a mapping reads for these keys until the transaction ends.';

create function crmshift.ensure_parents(of_mapping text, keys jsonb) returns void
language plpgsql
as $$
-- What the derived sync_from_<table> does before it writes a row, for keys that come from a repair, a drain or a
-- trigger inside a sync: call what the feeds prepare, and make sure that the rows exist which these depend on.
declare
    f record;
    p record;
    parent_keys jsonb;
begin
    for f in select feed.source, feed.key as columns, feed.prepare, m.key, m.key_types, m.direction
               from crmshift.feed join crmshift.mapping as m on m.name = feed.mapping
              where feed.mapping = of_mapping and feed.mode = 'sync' order by feed.source loop
        if f.prepare is not null then
            execute format('select %s(%s)', f.prepare,
                           (select string_agg(format('array(select (k ->> %L)::%s from jsonb_array_elements($1) as k)', c, t), ', ' order by i)
                              from unnest(f.key, f.key_types) with ordinality as u (c, t, i)))
              using keys;
        end if;
        for p in select feed.mapping, feed.key as columns, m.key
                   from crmshift.feed join crmshift.mapping as m on m.name = feed.mapping
                  where feed.source = f.source and feed.mode = 'fill' and m.direction = f.direction order by m.position loop
            execute format('select jsonb_agg(distinct jsonb_build_object(%s)) from %s as s where (%s) in (select %s from jsonb_array_elements($1) as k)',
                           (select string_agg(format('%L, s.%I', k, c), ', ' order by i) from unnest(p.key, p.columns) with ordinality as u (k, c, i)),
                           f.source::regclass,
                           (select string_agg(format('s.%I', c), ', ' order by i) from unnest(f.columns) with ordinality as u (c, i)),
                           (select string_agg(format('(k ->> %L)::%s', c, t), ', ' order by i) from unnest(f.key, f.key_types) with ordinality as u (c, t, i)))
               into parent_keys using keys;
            -- A parent whose delete waits in the queue is not brought back by its children.
            select jsonb_agg(k.key) into parent_keys
              from jsonb_array_elements(parent_keys) as k (key)
             where not exists (select from crmshift.mapping_subject as s
                                 join crmshift.sync_queue as q on q.subject = s.subject
                                  and q.key = crmshift.rename_keys(jsonb_build_array(k.key), s.columns, s.key) -> 0
                                where s.mapping = p.mapping and q.op = 'delete'
                                  and q.side = case f.direction when 'to_target' then 'target' else 'legacy' end);
            if parent_keys is not null and crmshift.call_writer('fill', p.mapping, parent_keys) > 0 then
                perform crmshift.lock_sources(p.mapping, parent_keys);
                perform crmshift.call_writer('sync', p.mapping, parent_keys);
            end if;
        end loop;
    end loop;
end
$$;
comment on function crmshift.ensure_parents(text, jsonb) is 'Make sure that the rows exist which these keys of a mapping depend on.';

create function crmshift.queue_whole(written text, state text, of_subject text default null) returns void
language sql
as $$
insert into crmshift.sync_queue (subject, key, side, reason, sqlstate)
select m.name, '{}', $1, 'failed', $2 from crmshift.mapping as m where m.direction = 'to_legacy' and m.name = coalesce($3, m.name)
$$;
comment on function crmshift.queue_whole(text, text, text) is 'The last resort, where it cannot be made out which rows a write reached: any of them.';

create function crmshift.queue_reached(of_mapping text, keys jsonb, why text) returns void
language plpgsql
as $$
-- Queue what a write on the tables of this mapping reaches beyond it: the feeds say so.
declare
    f record;
begin
    for f in select feed.reaches, m.key, m.key_types, case m.direction when 'to_target' then 'legacy' else 'target' end as side
               from crmshift.feed join crmshift.mapping as m on m.name = feed.mapping
              where feed.mapping = of_mapping and feed.reaches is not null loop
        execute format('insert into crmshift.sync_queue (subject, key, side, reason) select r.subject, r.key, $2, $3 from %s(%s) as r',
                       f.reaches,
                       (select string_agg(format('array(select (k ->> %L)::%s from jsonb_array_elements($1) as k)', c, t), ', ' order by i)
                          from unnest(f.key, f.key_types) with ordinality as u (c, t, i)))
          using keys, f.side, why;
        if why = 'nested' then
            perform set_config('crmshift.noted', 'yes', true);
        end if;
    end loop;
end
$$;
comment on function crmshift.queue_reached(text, jsonb, text) is 'Queue what a write on the tables of a mapping reaches beyond it.';

create function crmshift.held(of_mapping text, keys jsonb) returns boolean
language sql stable
as $$
-- Whether the side that this mapping writes has a queued write of one of these subjects.
select exists (
    select from crmshift.mapping as m
      join crmshift.mapping_subject as s on s.mapping = m.name
     cross join jsonb_array_elements(crmshift.rename_keys(keys, s.columns, s.key)) as k (key)
      join crmshift.sync_queue as q on q.subject = s.subject and q.key in (k.key, '{}')
     where m.name = of_mapping and q.side = case m.direction when 'to_target' then 'target' else 'legacy' end
       and q.reason not in ('nested', 'parent'))
$$;
comment on function crmshift.held(text, jsonb) is 'Whether the table of this mapping has queued writes of its own for one of these keys, which must not be overwritten unseen.';

create function crmshift.is_outstanding(of_mapping text, of_key jsonb) returns boolean
language plpgsql stable
as $$
-- Whether the subject stands in the queue, or one that it hangs on, or that hangs on it: an appointment goes where its contact's
-- primary lead is, and an appointment that cannot leave its contact is what makes this contact's lead.
declare
    s record;
    r record;
    subject_key jsonb;
    found_one boolean;
begin
    for s in select * from crmshift.mapping_subject where mapping = of_mapping loop
        subject_key := crmshift.rename_keys(jsonb_build_array(of_key), s.columns, s.key) -> 0;
        if exists (select from crmshift.sync_queue as q where q.subject = s.subject and q.key in (subject_key, '{}')) then
            return true;
        end if;
        for r in select child.source, queued.subject,
                        (select string_agg(format('%L, r.%I', k, col), ', ' order by i) from unnest(queued.key, queued.columns) with ordinality as u (k, col, i)) as queued_key,
                        (select string_agg(format('%L, r.%I', k, col), ', ' order by i) from unnest(own.key, own.columns) with ordinality as u (k, col, i)) as own_key
                   from crmshift.source_subject as child
                   join crmshift.source_subject as parent on parent.source = child.source and parent.mode = 'fill'
                  cross join lateral (values (child.subject, child.key, child.columns, parent.subject, parent.key, parent.columns),
                                             (parent.subject, parent.key, parent.columns, child.subject, child.key, child.columns))
                             as pair (subject, key, columns, other, other_key, other_columns)
                  cross join lateral (select pair.subject, pair.key, pair.columns) as own (subject, key, columns)
                  cross join lateral (select pair.other, pair.other_key, pair.other_columns) as queued (subject, key, columns)
                  where child.mode = 'sync' and child.whole and own.subject = s.subject
                    and exists (select from crmshift.sync_queue as q where q.subject = queued.subject) loop
            execute format('select exists (select from %s as r join crmshift.sync_queue as q on q.subject = $1 and q.key = jsonb_build_object(%s) where jsonb_build_object(%s) = $2)',
                           r.source::regclass, r.queued_key, r.own_key)
               into found_one using r.subject, subject_key;
            if found_one then
                return true;
            end if;
        end loop;
    end loop;
    return false;
end
$$;
comment on function crmshift.is_outstanding(text, jsonb) is 'Whether a row of either side need not agree with its mapping, because it stands in the sync queue.';

create function crmshift.try_deferred(tables regclass[]) returns void
language plpgsql
as $$
-- A deferred constraint of the other side would fail the application's COMMIT, beyond the reach of any handler. So it is
-- tried here, in a subtransaction that is always taken back: the application finds its constraints as it left them.
declare
    names text;
begin
    select string_agg(distinct format('%I.%I', n.nspname, c.conname), ', ') into names
      from pg_catalog.pg_trigger as t
      join pg_catalog.pg_constraint as c on c.oid = t.tgconstraint
      join pg_catalog.pg_namespace as n on n.oid = c.connamespace
     where t.tgrelid = any (tables) and t.tgdeferrable and t.tgname not like 'crmshift\_%';
    if names is not null then
        begin
            execute 'set constraints ' || names || ' immediate';
            raise exception using errcode = 'SH019';
        exception when sqlstate 'SH019' then
            null;
        end;
    end if;
end
$$;
comment on function crmshift.try_deferred(regclass[]) is 'Raises what the deferred constraints of these tables would raise at COMMIT.';

create function crmshift.targets_of(written text) returns regclass[]
language sql stable
as $$
select array_agg(distinct m.target::regclass) from crmshift.mapping as m
 where m.direction = case written when 'legacy' then 'to_target' else 'to_legacy' end
$$;
comment on function crmshift.targets_of(text) is 'The mapped tables of the other side than the one written.';

create function crmshift.refuse_old_snapshot() returns void
language plpgsql
as $$
-- A row that somebody deletes makes a transaction on an older snapshot fail; a TRUNCATE only makes it find the table empty. The
-- table's file tells: the catalogue as the snapshot has it names the old one. Asked once the tables are written, and thereby locked.
begin
    if current_setting('transaction_isolation') <> 'read committed'
       and exists (select from unnest(crmshift.targets_of('legacy') || crmshift.targets_of('target')) as t (relid)
                     left join lateral pg_catalog.pg_partition_tree(t.relid) as p on true
                     join pg_catalog.pg_class as c on c.oid = coalesce(p.relid, t.relid)
                    where nullif(c.relfilenode, 0) <> pg_catalog.pg_relation_filenode(c.oid)) then
        raise exception 'A mapped table was truncated after the snapshot of this transaction was taken.' using errcode = 'serialization_failure';
    end if;
end
$$;
comment on function crmshift.refuse_old_snapshot() is 'Raises where the snapshot of this transaction is older than a TRUNCATE (or a rewrite) of a mapped table.';

create function crmshift.sync_rows(of_mappings text[], keys jsonb[], settling boolean default false) returns void
language plpgsql
as $$
-- Bring keys of several mappings of one direction, given parents first, up to date, whatever the state of either side: rows
-- are written parents first and removed children first. Raises when it cannot, or when a queued write of the other side
-- would be overwritten; unless it is called to settle just those.
declare
    before text := coalesce(current_setting('crmshift.depth', true), '');
begin
    perform set_config('crmshift.depth', pg_trigger_depth()::text, true);
    for i in 1 .. cardinality(of_mappings) loop
        perform crmshift.lock_sources(of_mappings[i], keys[i]);
        perform crmshift.ensure_parents(of_mappings[i], keys[i]);
        perform crmshift.call_writer('sync', of_mappings[i], keys[i]);
        perform crmshift.queue_reached(of_mappings[i], keys[i], 'nested');
    end loop;
    for i in reverse cardinality(of_mappings) .. 1 loop
        perform crmshift.call_writer('remove', of_mappings[i], keys[i]);
    end loop;
    perform crmshift.refuse_old_snapshot();
    if not settling and exists (select from crmshift.sync_queue)
       and exists (select from unnest(of_mappings, keys) as w (mapping, keys) where crmshift.held(w.mapping, w.keys)) then
        raise exception 'The other side has a queued write of the same row.' using errcode = 'SH010';
    end if;
    if before = '' then
        if current_setting('crmshift.noted', true) = 'yes' then
            perform crmshift.settle_nested();
        end if;
        perform crmshift.try_deferred(crmshift.targets_of('legacy') || crmshift.targets_of('target'));
    end if;
    perform set_config('crmshift.depth', before, true);
end
$$;
comment on function crmshift.sync_rows(text[], jsonb[], boolean) is 'Bring keys of several mappings, given parents first, up to date. Raises when it cannot.';

create function crmshift.sync_keys(of_mapping text, keys jsonb) returns void
language sql
as $$ select crmshift.sync_rows(array[of_mapping], array[keys]) $$;
comment on function crmshift.sync_keys(text, jsonb) is 'Bring keys of one mapping up to date: select crmshift.sync_keys(''customers'', ''[{"cst_id": "…"}]''). Raises when it cannot.';

create function crmshift.sync_subjects(of_subject text, keys jsonb, written text, settling boolean default false) returns void
language sql
as $$
-- The written side of these subjects is taken as it stands, and the other brought up to date.
select crmshift.sync_rows(array_agg(m.name order by m.position),
                          array_agg(crmshift.rename_keys($2, m.columns, m.key) order by m.position), $4)
  from crmshift.mappings_of($1, $3) as m
$$;
comment on function crmshift.sync_subjects(text, jsonb, text, boolean) is 'Bring the other side than the one written up to date for these subjects. Raises when it cannot.';

create function crmshift.legacy_row(of_subject text, of_key jsonb, from_view boolean) returns jsonb
language plpgsql stable
as $$
declare
    result jsonb;
begin
    execute (select format('select to_jsonb(x) from %s as x where %s',
                           case when from_view then format('crmshift.%I', s.name || '_expected') else s.target::regclass::text end,
                           (select string_agg(format('x.%I = ($1 ->> %L)::%s', k, k, t), ' and ') from unnest(s.key, s.key_types) as u (k, t)))
               from crmshift.mapping as s where s.name = of_subject)
       into result using of_key;
    return result;
end
$$;
comment on function crmshift.legacy_row(text, jsonb, boolean) is 'A row of legacy as it is, or as the target says it should be.';

create function crmshift.log_overwritten() returns void
language plpgsql
as $$
-- A trigger of the application may write a table that the sync had still to write: from customers, say, the lead. What did not
-- stand is a conflict, and is logged as one.
declare
    n record;
    lost jsonb;
begin
    for n in
        select q.subject, q.key, q.side, q.table_name, min(q.op) as op, jsonb_object_agg(c.name, c.pair order by q.id) as changed,
               (select string_agg(coalesce(m.only_where, 'true'), ') or (') from crmshift.mapping as m where m.target = q.table_name) as is_spoken_of,
               (select string_agg(format('t.%I = ($2 ->> %L)::%s', col, k, format_type(a.atttypid, a.atttypmod)), ' and ')
                  from crmshift.source_subject as s
                 cross join unnest(s.key, s.columns) as u (k, col)
                  join pg_catalog.pg_attribute as a on a.attrelid = q.table_name::regclass and a.attname = col
                 where s.source = q.table_name and s.subject = q.subject and s.mode = 'sync') as is_key
          from crmshift.sync_queue as q, jsonb_each(q.changed) as c (name, pair)
         where q.txid = pg_current_xact_id() and q.reason = 'nested' and q.table_name is not null
         group by q.subject, q.key, q.side, q.table_name
    loop
        execute format('select jsonb_object_agg(c.name, c.pair) from jsonb_each($1) as c (name, pair)
                         where exists (select from %1$s as t where %2$s and (%4$s))
                           and ($3 or not exists (select from %1$s as t where %2$s and (%4$s) and to_jsonb(t) -> c.name is not distinct from c.pair -> 1))
                           and c.name not in (select k from crmshift.mapping as m, unnest(m.clock) as k where m.target = %3$L)',
                       n.table_name::regclass, n.is_key, n.table_name, n.is_spoken_of)
           into lost using n.changed, n.key, n.op = 'delete';
        if lost is not null then
            insert into crmshift.conflict_log (subject, key, kind, policy, winner, losing)
            values (n.subject, n.key, case n.op when 'delete' then 'delete_origin_differs' else 'update_origin_differs' end, 'first_update_wins',
                    case n.side when 'legacy' then 'target' else 'legacy' end, lost);
        end if;
    end loop;
end
$$;
comment on function crmshift.log_overwritten() is 'Log what triggers of the application wrote inside a sync that the sync then overwrote.';

create function crmshift.settle_nested() returns void
language plpgsql
as $$
-- Triggers of the application wrote mapped rows while a sync was under way. Now that the sync has written
-- all it had to, those rows are synced in turn; three passes, then the keys wait in the queue.
declare
    r record;
begin
    for pass in 1 .. 3 loop
        perform set_config('crmshift.noted', '', true);
        perform crmshift.log_overwritten();
        -- Where the other side has queued writes of the same row, both wait to be settled together.
        update crmshift.sync_queue as n
           set reason = 'held', sqlstate = 'SH010',
               op = case when crmshift.legacy_row(n.subject, n.key, n.side = 'target') is null then 'delete' else n.op end
         where n.txid = pg_current_xact_id() and n.reason = 'nested'
           and exists (select from crmshift.sync_queue as q
                        where q.subject = n.subject and q.key in (n.key, '{}') and q.side <> n.side and q.reason not in ('nested', 'parent'));
        for r in with taken as (
                     delete from crmshift.sync_queue where txid = pg_current_xact_id() and reason = 'nested' returning subject, key, side
                 )
                 select taken.subject, taken.side, jsonb_agg(distinct taken.key) as keys
                   from taken join crmshift.mapping as m on m.name = taken.subject
                  group by taken.subject, taken.side, m.position order by m.position, taken.side loop
            perform crmshift.sync_subjects(r.subject, r.keys, r.side, settling => true);
        end loop;
        if coalesce(current_setting('crmshift.noted', true), '') = '' then
            return;
        end if;
    end loop;
    update crmshift.sync_queue set reason = 'not_converged' where txid = pg_current_xact_id() and reason = 'nested';
    perform set_config('crmshift.noted', '', true);
end
$$;
comment on function crmshift.settle_nested() is 'Sync what triggers wrote inside a sync; called by the sync itself.';

create function crmshift.sync_or_queue(of_mapping text, keys jsonb, verb text default 'sync', op text default 'update') returns bigint
language plpgsql
as $$
-- Sync (or only fill) these keys; on failure halve them until the bad ones stand alone, and queue those. Once a lock was
-- not to be had, the rest waits only shortly, and when the time is over it is queued unseen.
declare
    n integer := jsonb_array_length(keys);
    before text := coalesce(current_setting('crmshift.depth', true), '');
    first boolean := coalesce(current_setting('crmshift.deadline', true), '') = '';
    out_of_time boolean := clock_timestamp() > to_timestamp(nullif(current_setting('crmshift.deadline', true), '')::float8);
    state text := '55P03'; why text := 'no time left to wait for locks'; violated text; in_table text; in_column text;
    queued bigint;
begin
    if out_of_time is not true then
        begin
            if verb = 'fill' then
                perform set_config('crmshift.depth', pg_trigger_depth()::text, true);
                perform crmshift.call_writer('fill', of_mapping, keys);
                if before = '' then
                    if current_setting('crmshift.noted', true) = 'yes' then
                        perform crmshift.settle_nested();
                    end if;
                    perform crmshift.try_deferred(crmshift.targets_of('legacy') || crmshift.targets_of('target'));
                end if;
                perform set_config('crmshift.depth', before, true);
            else
                perform crmshift.sync_keys(of_mapping, keys);
            end if;
            return 0;
        exception when others then
            get stacked diagnostics state = returned_sqlstate, why = message_text, violated = constraint_name,
                                    in_table = table_name, in_column = column_name;
        end;
        if state in ('55P03', '40P01') and first then
            perform set_config('crmshift.deadline', (extract(epoch from clock_timestamp()) + 0.25)::text, true);
            perform set_config('lock_timeout', '10ms', true);
        end if;
        if n > 1 then
            queued := crmshift.sync_or_queue(of_mapping, (select jsonb_agg(k) from jsonb_array_elements(keys) with ordinality as u (k, i) where i <= n / 2), verb, op)
                    + crmshift.sync_or_queue(of_mapping, (select jsonb_agg(k) from jsonb_array_elements(keys) with ordinality as u (k, i) where i > n / 2), verb, op);
        end if;
    end if;
    if queued is null then
        insert into crmshift.sync_queue (subject, key, side, op, reason, sqlstate, message, constraint_name, table_name, column_name)
        select s.subject, k.key, case m.direction when 'to_target' then 'legacy' else 'target' end, sync_or_queue.op,
               case state when 'SH010' then 'held' else 'failed' end, state, why, nullif(violated, ''), nullif(in_table, ''), nullif(in_column, '')
          from crmshift.mapping_subject as s join crmshift.mapping as m on m.name = s.mapping
         cross join jsonb_array_elements(crmshift.rename_keys(keys, s.columns, s.key)) as k (key)
         where s.mapping = of_mapping;
        begin
            perform crmshift.queue_reached(of_mapping, keys, 'failed');
        exception when others then
            perform crmshift.queue_whole(case m.direction when 'to_target' then 'legacy' else 'target' end, sqlstate)
               from crmshift.mapping as m where m.name = of_mapping;
        end;
        queued := n;
    end if;
    if first then
        perform set_config('crmshift.deadline', '', true);
    end if;
    return queued;
end
$$;
comment on function crmshift.sync_or_queue(text, jsonb, text, text) is 'Sync keys of one mapping; those that fail are queued, as written by op. Returns how many were queued.';

create function crmshift.drift(of_mapping text, of_workspace uuid default null)
returns table (key jsonb, kind text, columns text[])
language plpgsql stable
as $$
begin
    if not exists (select from crmshift.mapping as m where m.name = of_mapping) then
        raise exception 'There is no mapping named %.', of_mapping
            using errcode = 'SH001', hint = 'select name from crmshift.mapping lists them.';
    end if;
    return query execute format('select d.key, d.kind, d.columns from crmshift.%I($1) as d', 'drift_' || of_mapping) using of_workspace;
end
$$;
comment on function crmshift.drift(text, uuid) is 'Where a table differs from its mapping: key, kind (missing, extra, differs) and the columns that differ.';

create function crmshift.after_truncate(written text, raising boolean default false) returns void
language plpgsql
as $$
-- A truncated table leaves no keys to follow: whatever its side no longer speaks of is taken from the other, children first.
-- But what has not moved yet the target never spoke of: until the backfill is complete, truncating it takes nothing from legacy.
declare
    m record;
    f record;
    k record;
begin
    if written = 'target' and exists (select from crmshift.check_backfill_complete()) then
        return;
    end if;
    for m in select name, key, target from crmshift.mapping where direction = case written when 'legacy' then 'to_target' else 'to_legacy' end
              order by position desc loop
        begin
            -- What a writer of this table is prepared by may take away rows that no mapping speaks of just now.
            for f in select feed.source, feed.key as columns, feed.prepare from crmshift.feed
                      where feed.mapping = m.name and feed.mode = 'sync' and feed.prepare is not null loop
                execute (select format('select %s(%s) from %s as t where not exists (select from %s) having count(*) > 0', f.prepare,
                                       string_agg(format('array_agg(t.%I)', c), ', ' order by array_position(m.key, c)),
                                       m.target::regclass, f.source::regclass)
                           from unnest(m.key) as c);
            end loop;
            for k in select case d.kind when 'extra' then 'delete' else 'update' end as op, jsonb_agg(d.key) as keys
                       from crmshift.drift(m.name) as d where d.kind <> 'missing' group by 1 loop
                if raising then
                    perform crmshift.sync_keys(m.name, k.keys);
                else
                    perform crmshift.sync_or_queue(m.name, k.keys, op => k.op);
                    perform set_config('lock_timeout', '10ms', true);  -- one table may have spent the wait
                end if;
            end loop;
        exception when others then
            if raising then
                raise;
            end if;
            insert into crmshift.sync_queue (subject, key, side, op, reason, sqlstate, message)
            select s.subject, '{}', written, 'truncate', 'failed', sqlstate, sqlerrm
              from crmshift.mapping_subject as s where s.mapping = m.name;
        end;
    end loop;
end
$$;
comment on function crmshift.after_truncate(text, boolean) is 'Follow a TRUNCATE to the other side.';
