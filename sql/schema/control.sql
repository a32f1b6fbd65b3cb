-- Steering the sync by rows: paused or not, at once or later, and what an error does. Read anew by every statement.

-- Sequences know no transactions: a transaction that looks at an old snapshot learns here that its control rows are out of date.
create sequence crmshift.sync_epoch minvalue 0;
select setval('crmshift.sync_epoch', 0);
comment on sequence crmshift.sync_epoch is 'Counts changes of crmshift.sync_control, visible at once and to every snapshot.';

create table crmshift.sync_control (
    entity     text primary key,
    paused     boolean not null default false,
    mode       text not null default 'immediate' constraint mode_is_known check (mode in ('immediate', 'queued')),
    on_error   text not null default 'queue' constraint on_error_is_known check (on_error in ('queue', 'raise')),
    epoch      bigint not null default 0,
    why        text,
    changed_by text not null default session_user,
    changed_at timestamptz not null default clock_timestamp()
);
comment on table crmshift.sync_control is 'How the sync of an entity works. An entity without a row is synced at once, and what fails is queued.';
comment on column crmshift.sync_control.entity is 'Entity, as in crmshift.mapping.';
comment on column crmshift.sync_control.paused is 'Writes are queued, and nothing drains the queue.';
comment on column crmshift.sync_control.mode is 'immediate: the other side is written in the same transaction. queued: later, by whoever drains the queue.';
comment on column crmshift.sync_control.on_error is 'queue: a write whose sync fails is queued. raise: it fails.';
comment on column crmshift.sync_control.epoch is 'crmshift.sync_epoch when the row was last changed.';
comment on column crmshift.sync_control.why is 'What the operator said.';
comment on column crmshift.sync_control.changed_by is 'Who changed it last.';
comment on column crmshift.sync_control.changed_at is 'When.';

create function crmshift.set_control(of_entity text, to_paused boolean, to_mode text, to_on_error text, say text) returns void
language plpgsql
as $$
-- Change what is not null, for one entity or for all.
begin
    if of_entity is not null and not exists (select from crmshift.mapping as m where m.entity = of_entity) then
        raise exception 'There is no entity %.', of_entity
            using errcode = 'SH001', hint = format('Entities: %s.', (select string_agg(distinct m.entity, ', ' order by m.entity) from crmshift.mapping as m));
    end if;
    perform pg_catalog.nextval('crmshift.sync_epoch');
    insert into crmshift.sync_control as c (entity, paused, mode, on_error, epoch, why)
    select distinct m.entity, coalesce(to_paused, false), coalesce(to_mode, 'immediate'), coalesce(to_on_error, 'queue'),
           s.last_value, say
      from crmshift.mapping as m, crmshift.sync_epoch as s
     where m.entity = of_entity or of_entity is null
     order by m.entity
    on conflict (entity) do update
       set paused = coalesce(to_paused, c.paused), mode = coalesce(to_mode, c.mode), on_error = coalesce(to_on_error, c.on_error),
           epoch = excluded.epoch, why = excluded.why, changed_by = session_user, changed_at = clock_timestamp();
end
$$;
comment on function crmshift.set_control(text, boolean, text, text, text) is 'Change a control row; called by pause, resume, set_mode and set_on_error.';

create function crmshift.writers_in_flight() returns table (virtualtransaction text, pid integer, application text, since timestamptz)
language sql stable
as $$
select distinct l.virtualtransaction, l.pid, a.application_name, a.xact_start
  from pg_catalog.pg_locks as l
  left join pg_catalog.pg_stat_activity as a on a.pid = l.pid
 where l.locktype = 'relation' and l.mode = 'RowExclusiveLock' and l.granted and l.pid is distinct from pg_catalog.pg_backend_pid()
   and l.database = (select d.oid from pg_catalog.pg_database as d where d.datname = pg_catalog.current_database())
   and l.relation in (select coalesce(p.relid, pg_catalog.to_regclass(f.source)) from crmshift.feed as f
                        left join lateral pg_catalog.pg_partition_tree(pg_catalog.to_regclass(f.source)) as p on true)
$$;
comment on function crmshift.writers_in_flight() is 'Transactions that have written a mapped table and are still open.';

-- A procedure, because the row must be committed before it can be waited until everybody has seen it.
create procedure crmshift.pause(why text default null, entity text default null, patience interval default '10s')
language plpgsql
as $$
declare
    open_then text[];
    open_now text;
    until timestamptz;
begin
    perform crmshift.set_control(entity, true, null, null, why);
    commit;
    -- The next statement of anybody sees the row. What was under way may have read the old one: wait for it.
    open_then := array(select w.virtualtransaction from crmshift.writers_in_flight() as w);
    until := pg_catalog.clock_timestamp() + patience;
    loop
        select pg_catalog.string_agg(coalesce(w.pid::text, 'a prepared transaction') || coalesce(' (' || nullif(w.application, '') || ')', ''), ', ')
          into open_now from crmshift.writers_in_flight() as w where w.virtualtransaction = any (open_then);
        exit when open_now is null;
        if pg_catalog.clock_timestamp() > until then
            raise warning 'The sync is paused, but transactions that began before may still be synced: %.', open_now
                using hint = 'Wait until they have ended; select * from crmshift.writers_in_flight() lists them.';
            exit;
        end if;
        perform pg_catalog.pg_sleep(0.01);
        commit;  -- the next look needs a new snapshot
    end loop;
end
$$;
comment on procedure crmshift.pause(text, text, interval) is 'From the next statement on, writes are queued and not synced. Takes no lock on any table; returns when those under way have ended, or warns: call crmshift.pause(''why'').';

create function crmshift.resume(entity text default null) returns void
language sql
as $$ select crmshift.set_control(entity, false, null, null, null) $$;
comment on function crmshift.resume(text) is 'Sync writes again. What was queued meanwhile is for crmshift.drain().';

create function crmshift.set_mode(entity text, mode text) returns void
language sql
as $$ select crmshift.set_control(entity, null, mode, null, null) $$;
comment on function crmshift.set_mode(text, text) is 'immediate: write the other side in the same transaction. queued: leave that to whoever drains the queue. select crmshift.set_mode(''appointment'', ''queued'').';

create function crmshift.set_on_error(entity text, on_error text) returns void
language sql
as $$ select crmshift.set_control(entity, null, null, on_error, null) $$;
comment on function crmshift.set_on_error(text, text) is 'queue: a write whose sync fails succeeds, and is queued. raise: it fails with the error of the sync.';
