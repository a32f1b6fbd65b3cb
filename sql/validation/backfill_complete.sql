-- The backfill of every mapping to the target has reached its bound; of one workspace, that suffices where only that is asked for.
create function crmshift.check_backfill_complete(of_workspace uuid default null)
returns table (subject text, key jsonb, detail text)
language sql stable
as $$
select f.source, null::jsonb,
       case when b.source is null then 'backfill has not begun' else format('backfill stands at %s of %s rows', b.rows_done, b.rows_total) end
  from (select distinct f.source from crmshift.feed as f join crmshift.mapping as m on m.name = f.mapping
         where m.direction = 'to_target' and f.mode = 'sync') as f
  left join crmshift.backfill as b on b.source = f.source and b.workspace_id is null
 where b.finished_at is null
   and not exists (select from crmshift.backfill as w where w.source = f.source and w.workspace_id = of_workspace and w.finished_at is not null)
$$;
comment on function crmshift.check_backfill_complete(uuid) is 'Every backfill is complete

Do: crmshift apply --to parallel-operation, or crmshift backfill run; crmshift backfill status says what holds it.';
