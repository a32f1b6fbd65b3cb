-- Settling what is queued, by the state of both sides and never by replaying old values; and what to do where both wrote.

create function crmshift.is_transient(sqlstate text) returns boolean
language sql immutable
as $$ select left(sqlstate, 2) in ('40', '53', '55') $$;
comment on function crmshift.is_transient(text) is 'Whether a cause passes by itself: deadlock, serialization, resources, locks. Others wait for a person.';

create function crmshift.ensure_subject(of_subject text, of_key jsonb, written text) returns void
language plpgsql
as $$
declare
    before text := coalesce(current_setting('crmshift.depth', true), '');
    m record;
begin
    perform set_config('crmshift.depth', pg_trigger_depth()::text, true);
    for m in select * from crmshift.mappings_of(of_subject, written) loop
        perform crmshift.ensure_parents(m.name, crmshift.rename_keys(jsonb_build_array(of_key), m.columns, m.key));
        perform crmshift.call_writer('fill', m.name, crmshift.rename_keys(jsonb_build_array(of_key), m.columns, m.key));
    end loop;
    if before = '' and current_setting('crmshift.noted', true) = 'yes' then
        perform crmshift.settle_nested();
    end if;
    perform set_config('crmshift.depth', before, true);
end
$$;
comment on function crmshift.ensure_subject(text, jsonb, text) is 'Make sure that the rows are there which are made of a subject; leaves them alone where they are.';

create function crmshift.lock_row(of_subject text, of_key jsonb) returns void
language plpgsql
as $$
-- Hold one subject on both sides, legacy first, as writers take them. What is read or found queued in the next statement then
-- stays as it is.
declare
    r record;
begin
    for r in select m.target, m.only_where,
                    (select string_agg(format('t.%I = ($1 ->> %L)::%s', k, c, ty), ' and ') from unnest(m.key, m.columns, m.key_types) as u (k, c, ty)) as is_key
               from (select 0 as side, l.* from crmshift.mappings_of(of_subject, 'target') as l
                     union all select 1, t.* from crmshift.mappings_of(of_subject, 'legacy') as t) as m
              order by m.side, m.position loop
        execute format('select 1 from %s as t where %s%s for no key update of t', r.target::regclass, r.is_key, coalesce(' and ' || r.only_where, '')) using of_key;
    end loop;
end
$$;
comment on function crmshift.lock_row(text, jsonb) is 'Hold one subject on both sides until the transaction ends, legacy first.';

create function crmshift.merge(of_subject text, of_key jsonb, ids bigint[], both_inserted boolean, first_side text, last_side text)
returns table (columns text[], policy text, winner text, losing jsonb, result jsonb)
language plpgsql stable
as $$
-- Both sides wrote one row while they could not agree: what each group of columns should be. A group that only one side
-- changed takes that side's values; one that both changed goes by its policy. winner is null where a person has to decide;
-- no row at all for groups without a conflict, except the last one, whose result is the whole merged row.
declare
    here jsonb := crmshift.legacy_row(of_subject, of_key, false);
    there jsonb := crmshift.legacy_row(of_subject, of_key, true);
    before jsonb;
    clock text[] := (select m.clock from crmshift.mapping as m where m.name = of_subject);
    grouped text[] := array(select c from crmshift.conflict_policy as p, unnest(p.columns) as c where p.subject = of_subject and p.conflict = 'update');
    merged jsonb := here;
    g record;
    c text;
    legacy_changed boolean;
    target_changed boolean;
    when_written record;
begin
    -- What was there before: legacy knows what its first queued write of a column found; what it did not write is as it was.
    select here || coalesce(jsonb_object_agg(e.col, e.before), '{}') into before
      from (select distinct on (x.col) x.col, x.pair -> 0 as before
              from crmshift.sync_queue as q, jsonb_each(q.changed) as x (col, pair)
             where q.id = any (ids) and q.side = 'legacy' order by x.col, q.id) as e;
    for g in
        select p.columns, p.policy from crmshift.conflict_policy as p
         where p.subject = of_subject and p.conflict = 'update' and p.columns <> '{}' and p.policy <> 'column_merge'
        union all
        select array[col], 'last_update_wins'
          from crmshift.conflict_policy as p, unnest(p.columns) as col
         where p.subject = of_subject and p.conflict = 'update' and p.policy = 'column_merge'
        union all
        -- the rest: together where a policy says so, else column by column
        select array_agg(k.col), coalesce(p.policy, 'last_update_wins')
          from (select k as col from jsonb_object_keys(there) as k where k <> all (grouped)) as k
          left join crmshift.conflict_policy as p
            on p.subject = of_subject and p.conflict = 'update' and p.columns = '{}' and p.policy <> 'column_merge'
         group by p.policy, case when p.policy is null then k.col end
    loop
        legacy_changed := false;
        target_changed := false;
        foreach c in array g.columns loop
            continue when c = any (clock) and cardinality(g.columns) > 1;
            if both_inserted then  -- a value that one of them does not give is no conflict
                legacy_changed := legacy_changed or (here -> c <> 'null');
                target_changed := target_changed or (there -> c <> 'null');
            else
                legacy_changed := legacy_changed or (here -> c is distinct from before -> c);
                target_changed := target_changed or (there -> c is distinct from before -> c);
            end if;
        end loop;
        -- Who wrote the group last. Of a legacy write it is known which columns it changed; one of the target counts for all.
        select case when max(q.id) filter (where q.side = 'legacy') > max(q.id) filter (where q.side = 'target') then 'legacy' else 'target' end as last,
               case when min(q.id) filter (where q.side = 'legacy') < min(q.id) filter (where q.side = 'target') then 'legacy' else 'target' end as first
          into when_written
          from crmshift.sync_queue as q
         where q.id = any (ids) and q.reason <> 'parent' and (q.side = 'target' or q.changed ?| g.columns)
        having count(distinct q.side) = 2;
        columns := g.columns;
        policy := g.policy;
        losing := null;
        winner := case
            when not target_changed then 'legacy'
            when not legacy_changed then 'target'
            when g.policy = 'last_update_wins' then coalesce(when_written.last, last_side)
            when g.policy = 'first_update_wins' then coalesce(when_written.first, first_side)
            when g.policy = 'legacy_wins' then 'legacy'
            when g.policy = 'target_wins' then 'target'
            when g.policy = 'manual' then
                (select l.decision from crmshift.conflict_log as l
                  where l.subject = of_subject and l.key = of_key and l.winner is null and l.columns = g.columns)
            else 'merged' end;
        if winner = 'merged' then
            if to_regprocedure(substr(g.policy, 10) || '(text, jsonb, jsonb, jsonb, jsonb)') is null then
                raise exception 'There is no function %(text, jsonb, jsonb, jsonb, jsonb), which the policy of % names.', substr(g.policy, 10), of_subject
                    using errcode = 'SH015';
            end if;
            execute format('select %s($1, $2, $3, $4, $5)', to_regproc(substr(g.policy, 10))) into result
              using of_subject, of_key, before, here, there;
            foreach c in array g.columns loop
                merged := merged || jsonb_build_object(c, coalesce(result -> c, here -> c));
            end loop;
        elsif winner = 'target' then
            foreach c in array g.columns loop
                merged := merged || jsonb_build_object(c, there -> c);
            end loop;
        end if;
        result := null;
        if legacy_changed and target_changed and not g.columns <@ clock then
            -- Only what the losing side had changed, and does not stand, is lost.
            foreach c in array g.columns loop
                continue when c = any (clock) or here -> c = there -> c;
                if winner is distinct from 'legacy' and here -> c <> merged -> c and (both_inserted or here -> c <> before -> c)
                   or winner is distinct from 'target' and there -> c <> merged -> c and (both_inserted or there -> c <> before -> c)
                   or winner is null then
                    losing := coalesce(losing, '{}') || jsonb_build_object(c,
                        jsonb_build_array(case when both_inserted then 'null' else before -> c end)
                        || case winner when 'legacy' then jsonb_build_array(there -> c)
                                       when 'target' then jsonb_build_array(here -> c)
                                       else jsonb_build_array(here -> c, there -> c) end);
                end if;
            end loop;
            if losing is not null then
                if winner is null then
                    losing := null;
                end if;
                return next;
            end if;
        end if;
    end loop;
    columns := null;
    policy := null;
    winner := null;
    losing := null;
    result := merged;
    return next;
end
$$;
comment on function crmshift.merge(text, jsonb, bigint[], boolean, text, text) is 'What becomes of a row that both sides wrote while apart: its conflicts by group of columns, and last the merged legacy row.';

create function crmshift.write_legacy(of_subject text, of_key jsonb, merged jsonb) returns void
language plpgsql
as $$
declare
    s crmshift.mapping;
    before text := coalesce(current_setting('crmshift.depth', true), '');
begin
    select * into s from crmshift.mapping where name = of_subject;
    perform set_config('crmshift.depth', pg_trigger_depth()::text, true);
    perform set_config('crmshift.writing', s.target, true);
    execute (select format('update %1$s as x set (%2$s) = (select %2$s from jsonb_populate_record(x, $2)) where %3$s', s.target::regclass,
                           string_agg(quote_ident(a.attname), ', ' order by a.attnum),
                           (select string_agg(format('x.%I = ($1 ->> %L)::%s', k, k, t), ' and ') from unnest(s.key, s.key_types) as u (k, t)))
               from pg_catalog.pg_attribute as a
              where a.attrelid = to_regclass(format('crmshift.%I', s.name || '_expected')) and a.attnum > 0 and a.attname <> all (s.key))
      using of_key, merged;
    perform set_config('crmshift.depth', before, true);
end
$$;
comment on function crmshift.write_legacy(text, jsonb, jsonb) is 'Write a merged row to legacy; the target follows from there.';

create function crmshift.record_conflict(of_subject text, of_key jsonb, of_kind text, of_columns text[], by_policy text, won text, lost jsonb) returns void
language plpgsql
as $$
-- An open conflict that a person has decided is the same conflict still.
begin
    update crmshift.conflict_log as l set winner = won, losing = lost
     where l.subject = of_subject and l.key = of_key and l.winner is null and l.columns = of_columns;
    if not found then
        insert into crmshift.conflict_log (subject, key, kind, columns, policy, winner, losing)
        values (of_subject, of_key, of_kind, of_columns, by_policy, won, lost);
    end if;
end
$$;
comment on function crmshift.record_conflict(text, jsonb, text, text[], text, text, jsonb) is 'Log a conflict, or how an open one ended.';

create function crmshift.log_escaped(of_subject text, keys jsonb) returns integer
language plpgsql
as $$
-- Legacy deleted these rows, and their deletes had to wait. What the target has made into something that no mapping speaks of
-- meanwhile (an appointment, into one of a second lead) is not deleted, and that is a conflict.
declare
    m record;
    logged integer := 0;
    n integer;
begin
    for m in select w.*, p.conflict_where from crmshift.mappings_of(of_subject, 'legacy') as w join crmshift.mapping as p using (name)
              where w.only_where is not null and p.conflict_where is null loop
        execute format('insert into crmshift.conflict_log (subject, key, kind, policy, winner)
                        select $1, k.key, ''delete_origin_differs'', ''target_wins'', ''target'' from jsonb_array_elements($2) as k (key)
                         where exists (select from %s as t where %s)', m.target::regclass,
                       (select string_agg(format('t.%I = (k.key ->> %L)::%s', k, c, ty), ' and ') from unnest(m.key, m.columns, m.key_types) as u (k, c, ty)))
          using of_subject, keys;
        get diagnostics n = row_count;
        logged := logged + n;
    end loop;
    return logged;
end
$$;
comment on function crmshift.log_escaped(text, jsonb) is 'Log rows that legacy deleted and that the target keeps, for they are none of the mapping''s any more; returns how many.';

create function crmshift.settle_row(of_subject text, of_key jsonb) returns integer
language plpgsql
as $$
-- Settle what is queued of one subject, by state, never blindly: the queued writes say which side changed it, and that side is
-- read anew. Where both did, policies decide; what is lost goes to the conflict log. Returns the number of conflicts, or null
-- where a person has to decide one; raises when the subject cannot be settled yet.
declare
    q record;
    w record;
    before text := coalesce(current_setting('crmshift.depth', true), '');
    written text;
    merged jsonb;
    delete_policy text;
    conflicts integer := 0;
    undecided boolean := false;
    both_inserted boolean;
begin
    perform crmshift.lock_row(of_subject, of_key);
    select array_agg(id order by id) as ids,
           (array_agg(side order by id desc) filter (where reason <> 'parent'))[1] as last_side,
           (array_agg(side order by id) filter (where reason <> 'parent'))[1] as first_side,
           count(distinct side) filter (where reason <> 'parent') > 1 as apart,
           (array_agg(op order by id) filter (where side = 'legacy' and reason <> 'parent'))[1] as legacy_op,
           (array_agg(op order by id) filter (where side = 'target' and reason <> 'parent'))[1] as target_op,
           (array_agg(op order by id desc) filter (where side = 'legacy' and reason <> 'parent'))[1] as legacy_last_op,
           (array_agg(op order by id desc) filter (where side = 'target' and reason <> 'parent'))[1] as target_last_op,
           (array_agg(sqlstate order by id) filter (where reason <> 'parent'))[1] is not distinct from 'SH012' as met_another
      into q from crmshift.sync_queue where subject = of_subject and key = of_key;
    if q.ids is null then
        return 0;
    end if;
    if q.last_side is null then  -- nothing of the row itself failed: make sure that it is there
        for w in select distinct side from crmshift.sync_queue where id = any (q.ids) loop
            perform crmshift.ensure_subject(of_subject, of_key, w.side);
        end loop;
        delete from crmshift.sync_queue where id = any (q.ids);
        return 0;
    end if;
    -- What a sync of the row would have prepared was undone with it: there must be a primary lead before the row is read.
    perform set_config('crmshift.depth', pg_trigger_depth()::text, true);
    perform crmshift.ensure_parents(of_subject, jsonb_build_array(of_key));
    perform set_config('crmshift.depth', before, true);

    written := q.last_side;
    both_inserted := q.met_another or coalesce(q.legacy_op = 'insert' and q.target_op = 'insert', false);
    if q.met_another and not q.apart then  -- the other side had it before
        q.first_side := case q.last_side when 'legacy' then 'target' else 'legacy' end;
    end if;
    if q.apart or q.met_another then
        if crmshift.legacy_row(of_subject, of_key, false) is not null and crmshift.legacy_row(of_subject, of_key, true) is not null then
            select coalesce(bool_or(m.columns is not null and m.winner is null), false) into undecided
              from crmshift.merge(of_subject, of_key, q.ids, both_inserted, q.first_side, q.last_side) as m;
            for w in select * from crmshift.merge(of_subject, of_key, q.ids, both_inserted, q.first_side, q.last_side) loop
                if w.columns is null then
                    merged := w.result;
                elsif not undecided or w.winner is null then  -- the rest is settled with what a person has to decide
                    perform crmshift.record_conflict(of_subject, of_key,
                                                     case when both_inserted then 'insert_exists' else 'update_origin_differs' end,
                                                     w.columns, w.policy, w.winner, w.losing);
                    conflicts := conflicts + 1;
                end if;
            end loop;
            written := 'legacy';
        elsif q.apart and q.legacy_last_op = 'delete' and q.target_last_op = 'delete' then
            null;  -- both took it away
        elsif q.apart then
            select coalesce(min(p.policy), 'last_update_wins') into delete_policy
              from crmshift.conflict_policy as p where p.subject = of_subject and p.conflict = 'delete';
            written := case delete_policy when 'last_update_wins' then q.last_side when 'first_update_wins' then q.first_side
                                          when 'legacy_wins' then 'legacy' when 'target_wins' then 'target'
                                          else (select l.decision from crmshift.conflict_log as l
                                                 where l.subject = of_subject and l.key = of_key and l.winner is null and l.columns = '{}') end;
            perform crmshift.record_conflict(of_subject, of_key, 'delete_origin_differs', '{}', delete_policy, written,
                                             (select jsonb_object_agg(c.name, c.pair order by s.id)
                                                from crmshift.sync_queue as s, jsonb_each(s.changed) as c (name, pair)
                                               where s.id = any (q.ids) and s.side <> written));
            conflicts := conflicts + 1;
            undecided := written is null;
        end if;
    end if;
    if undecided then
        update crmshift.sync_queue set reason = 'manual' where id = any (q.ids) and reason <> 'parent';
        return null;
    end if;
    if merged is not null then
        perform crmshift.write_legacy(of_subject, of_key, merged);
    end if;
    perform crmshift.sync_subjects(of_subject, jsonb_build_array(of_key), written, settling => true);
    if written = 'legacy' and q.legacy_last_op = 'delete' then
        conflicts := conflicts + crmshift.log_escaped(of_subject, jsonb_build_array(of_key));
    end if;
    delete from crmshift.sync_queue where id = any (q.ids);
    update crmshift.conflict_log set winner = 'merged' where subject = of_subject and key = of_key and winner is null;  -- they agree by now
    return conflicts;
end
$$;
comment on function crmshift.settle_row(text, jsonb) is 'Settle what is queued of one subject, by its name and key in legacy. Returns the number of conflicts, or null where a person has to decide one.';

create function crmshift.settle_held(failed_by text[] default '{}') returns void
language plpgsql
as $$
-- This transaction has just met rows that the other side had queued writes of, or had already, and queued its own. Now that
-- both are known they can be settled; what cannot stays queued. Likewise what failed by these sqlstates, where the cause is gone.
declare
    r record;
    state text;
    why text;
begin
    for r in select subject, key, array_agg(id) as ids from crmshift.sync_queue
              where txid = pg_current_xact_id() and (reason = 'held' or reason in ('failed', 'parent') and sqlstate = any (failed_by) and key <> '{}') and attempts = 0 group by subject, key loop
        begin
            perform crmshift.settle_row(r.subject, r.key);
        exception when others then
            get stacked diagnostics state = returned_sqlstate, why = message_text;
            perform crmshift.queue_again(r.ids, state, why);
        end;
    end loop;
end
$$;
comment on function crmshift.settle_held(text[]) is 'Settle at once what this transaction held back, and what failed by some sqlstates; called by the triggers.';

create function crmshift.settle_whole(of_entry crmshift.sync_queue) returns void
language plpgsql
as $$
-- An entry without a key is about all rows of a subject: the table was truncated while its sync was not to be had, or it could
-- not be made out which rows a write reached. Rows that stand in the queue by themselves are left to their own entries.
declare
    m record;
    apart jsonb;
begin
    if of_entry.side = 'target' and exists (select from crmshift.check_backfill_complete()) then
        if of_entry.op = 'truncate' then  -- what has not moved yet the target never spoke of
            delete from crmshift.sync_queue where id = of_entry.id;
            return;
        end if;
        raise exception 'Before the backfill is complete, a row that the target lacks may not have moved yet.' using errcode = 'SH014';
    end if;
    for m in select * from crmshift.mappings_of(of_entry.subject, of_entry.side) order by position desc loop
        select jsonb_agg(d.key) into apart
          from crmshift.drift(m.name) as d
         cross join lateral (select crmshift.rename_keys(jsonb_build_array(d.key), m.key, m.columns) -> 0) as s (key)
         where (of_entry.op <> 'truncate' or d.kind <> 'missing')
           and not exists (select from crmshift.sync_queue as q where q.subject = of_entry.subject and q.key = s.key and q.reason <> 'parent');
        if apart is not null then
            perform crmshift.sync_or_queue(m.name, apart);
        end if;
    end loop;
    if of_entry.op = 'truncate' then
        -- A row that the other side wrote before the TRUNCATE went with it; one written since stays, and that is a conflict.
        insert into crmshift.sync_queue (subject, key, side, op, reason)
        select q.subject, q.key, of_entry.side, 'delete', 'held' from crmshift.sync_queue as q
         where q.subject = of_entry.subject and q.side <> of_entry.side and q.key <> '{}' and q.reason <> 'parent'
         group by q.subject, q.key
        having max(q.id) < of_entry.id and (array_agg(q.op order by q.id))[1] <> 'insert';  -- what it never had it did not take away
        insert into crmshift.conflict_log (subject, key, kind, policy, winner)
        select q.subject, q.key, 'delete_origin_differs', 'last_update_wins', max(q.side) from crmshift.sync_queue as q
         where q.subject = of_entry.subject and q.side <> of_entry.side and q.op <> 'insert' and q.key <> '{}' and q.reason <> 'parent'
         group by q.subject, q.key having max(q.id) > of_entry.id;
    end if;
    delete from crmshift.sync_queue where id = of_entry.id;
end
$$;
comment on function crmshift.settle_whole(crmshift.sync_queue) is 'Settle an entry that is about all rows of a subject.';

create function crmshift.queue_again(ids bigint[], state text, why text) returns void
language sql
as $$
update crmshift.sync_queue as q
   set attempts = q.attempts + 1, sqlstate = $2, message = $3,
       retry_at = case when crmshift.is_transient($2)
                       then clock_timestamp() + make_interval(secs => least(300, 2 ^ least(q.attempts, 10)) * (0.5 + random())) end
 where q.id in (select o.id from crmshift.sync_queue as o where o.id = any ($1) for update skip locked)  -- whoever holds it settles it
$$;
comment on function crmshift.queue_again(bigint[], text, text) is 'Another attempt failed: what passes by itself is due again after a while, longer each time.';

create function crmshift.drain(most integer default 500, only_due boolean default false)
returns table (settled bigint, failed bigint, conflicts bigint)
language plpgsql
as $$
-- Settle queued subjects, oldest first. only_due, for whoever drains all day: leave alone what waits for a person, for its
-- time, or for the end of a pause.
declare
    r record;
    e crmshift.sync_queue;
    met integer;
    state text;
    why text;
begin
    settled := 0;
    failed := 0;
    conflicts := 0;
    if only_due and exists (select from crmshift.sync_control where paused) then
        return next;
        return;
    end if;
    for e in select * from crmshift.sync_queue where key = '{}' and (not only_due or reason = 'paused') order by id loop
        begin
            perform crmshift.settle_whole(e);
            settled := settled + 1;
        exception when others then
            get stacked diagnostics state = returned_sqlstate, why = message_text;
            perform crmshift.queue_again(array[e.id], state, why);
            failed := failed + 1;
        end;
    end loop;
    -- Subjects that only one side wrote, in sets, as a bulk statement would be synced.
    for r in select o.subject, o.side, jsonb_agg(distinct o.key) as keys, array_agg(o.id) as ids, count(distinct o.key) as n,
                    jsonb_agg(distinct o.key) filter (where o.op = 'delete' and o.side = 'legacy') as deleted
               from (select * from crmshift.sync_queue as q where q.reason = 'paused' and q.attempts = 0 and q.key <> '{}' order by q.id limit most) as o
               join crmshift.mapping as m on m.name = o.subject
              where not exists (select from crmshift.sync_queue as x where x.subject = o.subject and x.key = o.key and x.side <> o.side)
              group by o.subject, o.side, m.position order by m.position loop
        begin
            perform crmshift.sync_subjects(r.subject, r.keys, r.side);
            conflicts := conflicts + crmshift.log_escaped(r.subject, r.deleted);
            delete from crmshift.sync_queue where id = any (r.ids);
            settled := settled + r.n;
        exception when others then
            null;  -- one of them is bad: one by one, below
        end;
    end loop;
    for r in select q.subject, q.key, array_agg(q.id) as ids
               from crmshift.sync_queue as q join crmshift.mapping as m on m.name = q.subject
              where q.reason not in ('nested', 'manual') and q.key <> '{}'
              group by q.subject, q.key, m.position
             having not only_due or bool_or(q.attempts = 0 and q.reason not in ('failed', 'not_converged')
                                            or crmshift.is_transient(q.sqlstate) and coalesce(q.retry_at <= clock_timestamp(), true))
              order by min(q.attempts), m.position, min(q.id) limit greatest(most - settled, 1) loop
        begin
            met := crmshift.settle_row(r.subject, r.key);
            conflicts := conflicts + coalesce(met, 1);
            settled := settled + (met is not null)::integer;
        exception when others then
            get stacked diagnostics state = returned_sqlstate, why = message_text;
            perform crmshift.queue_again(r.ids, state, why);
            failed := failed + 1;
        end;
    end loop;
    return next;
end
$$;
comment on function crmshift.drain(integer, boolean) is 'Settle queued subjects; returns how many were settled, failed again, and were conflicts. only_due: what is worth another try now.';

create function crmshift.resolve(of_conflict bigint, side text) returns text
language plpgsql
as $$
-- Decide an open conflict. When the last of a row's is decided, the row is settled.
declare
    l crmshift.conflict_log;
    open bigint;
begin
    update crmshift.conflict_log as c set decision = side, decided_by = session_user, decided_at = clock_timestamp()
     where c.id = of_conflict and c.winner is null returning c.* into l;
    if not found then
        raise exception 'There is no open conflict %.', of_conflict
            using errcode = 'SH001', hint = 'select id, subject, key, columns from crmshift.conflict_log where winner is null lists them.';
    end if;
    select count(*) into open from crmshift.conflict_log as c
     where c.subject = l.subject and c.key = l.key and c.winner is null and c.decision is null;
    if open > 0 then
        return format('decided; %s more of this row to decide', open);
    end if;
    perform crmshift.settle_row(l.subject, l.key);
    return 'settled';
end
$$;
comment on function crmshift.resolve(bigint, text) is 'Decide an open conflict: select crmshift.resolve(17, ''legacy'').';
