-- A CRM's contacts, :contacts of them; bench.contacts says how many. Ids look random, as those of gen_random_uuid() do, but can be
-- computed from a number: contact n is md5(n), so that a pgbench script can pick one. Every 20th contact has no lead fact.
insert into public.workspaces (id, name)
select md5('w' || w)::uuid, 'Workspace ' || w from generate_series(1, 20) as w;

insert into public.contacts (id, workspace_id, firstname, lastname, email, phone_number, st_address, city, state, zip,
                             lead_source, lead_status, created_at, updated_at)
select md5(n::text)::uuid, md5('w' || n % 20 + 1)::uuid, 'First' || n % 997, 'name' || n::bigint * 7919 % 100003, 'p' || n || '@example.com',
       '+1 555 ' || lpad((n % 10000000)::text, 7, '0'), n % 900 || ' Main Street', 'Town ' || n % 500, 'ST', lpad((n % 100000)::text, 5, '0'),
       case when n % 20 > 0 then 'web' end, case when n % 20 > 0 then 'Stage ' || n / 20 % 8 + 1 end,
       timestamptz '2026-01-01' + n % 10000 * interval '1 minute', timestamptz '2026-06-01' + n % 100000 * interval '1 minute'
  from generate_series(1, current_setting('bench.contacts')::integer) as n;

-- What the pages of an application look for.
create index contacts_board_idx on public.contacts (workspace_id, lead_status, updated_at desc);
create index contacts_name_idx on public.contacts (workspace_id, lower(lastname));
