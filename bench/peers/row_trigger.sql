-- What most people write: one trigger for each row, no handler, no queue, no way back. The yardstick for a single write.
create function public.bench_row_sync() returns trigger language plpgsql as $$
begin
    insert into public.customers (cst_id, workspace_id, firstname, lastname, email, phone1, address1, city, state, zip, dateadded, lastchanged)
    values (new.id, new.workspace_id, new.firstname, new.lastname, new.email, new.phone_number, new.st_address, new.city, new.state, new.zip, new.created_at, new.updated_at)
    on conflict (cst_id) do update set firstname = excluded.firstname, lastname = excluded.lastname, email = excluded.email,
        phone1 = excluded.phone1, address1 = excluded.address1, city = excluded.city, state = excluded.state, zip = excluded.zip,
        dateadded = excluded.dateadded, lastchanged = excluded.lastchanged;
    update public.leads set source = new.lead_source, disposition = new.lead_status, lastchangedon = new.updated_at
     where customer_id = new.id and is_primary;
    if not found and new.lead_status is not null then
        insert into public.leads (customer_id, workspace_id, is_primary, source, disposition, entrydate, lastchangedon)
        values (new.id, new.workspace_id, true, new.lead_source, new.lead_status, new.created_at, new.updated_at);
    end if;
    return null;
end $$;
create trigger bench_row_sync after insert or update on public.contacts for each row execute function public.bench_row_sync();
