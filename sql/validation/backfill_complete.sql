-- The backfill of every mapping to the target has reached its bound.
create function crmshift.check_backfill_complete(of_workspace uuid default null)
returns table (subject text, key jsonb, detail text)
language sql stable
as $$
select m.name, null::jsonb,
       case when b.mapping is null then 'backfill has not begun' else format('backfill stands at %s of %s rows', b.rows_done, b.rows_total) end
  from crmshift.mapping as m
  left join crmshift.backfill as b on b.mapping = m.name
 where m.direction = 'to_target' and b.finished_at is null
$$;
comment on function crmshift.check_backfill_complete(uuid) is 'Every backfill is complete';
