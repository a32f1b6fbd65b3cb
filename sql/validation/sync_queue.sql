-- No key waits in the sync queue.
create function crmshift.check_sync_queue(of_workspace uuid default null)
returns table (subject text, key jsonb, detail text)
language sql stable
as $$
select q.subject, q.key, concat_ws(' ', q.reason, q.sqlstate, q.constraint_name)
  from crmshift.sync_queue as q
$$;
comment on function crmshift.check_sync_queue(uuid) is 'No key waits in the sync queue';
