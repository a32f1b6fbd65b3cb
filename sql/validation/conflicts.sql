-- No conflict waits for a decision: until there is one, the two sides go on differing.
create function crmshift.check_conflicts(of_workspace uuid default null)
returns table (subject text, key jsonb, detail text)
language sql stable
as $$
select l.subject, l.key, concat_ws(': ', format('conflict %s waits for a decision', l.id), nullif(array_to_string(l.columns, ', '), ''))
  from crmshift.conflict_log as l
 where l.winner is null
$$;
comment on function crmshift.check_conflicts(uuid) is 'No conflict waits for a decision

Do: crmshift conflicts list, then crmshift conflicts resolve ID --take legacy or target.';
