-- No key waits in the sync queue, but for conflicts, which are another check's.
create function crmshift.check_sync_queue(of_workspace uuid default null)
returns table (subject text, key jsonb, detail text)
language sql stable
as $$
select q.subject, q.key, concat_ws(' ', q.reason, q.sqlstate, q.constraint_name)
  from crmshift.sync_queue as q
 where q.reason <> 'manual'
    or not exists (select from crmshift.conflict_log as l where l.subject = q.subject and l.key = q.key and l.winner is null)
$$;
comment on function crmshift.check_sync_queue(uuid) is 'No key waits in the sync queue

Do: crmshift sync status says why; crmshift sync drain settles what can be settled.';
