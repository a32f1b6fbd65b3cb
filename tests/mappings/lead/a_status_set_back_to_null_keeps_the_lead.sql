-- Only live: a backfill sees the contact without a status, and there never was a lead.
-- given in legacy
insert into contacts (id, workspace_id, lead_status) values
    ('00000000-0000-0000-0000-0000000000c1', '00000000-0000-0000-0000-0000000000a1', 'new');
-- given in legacy, live only
update contacts set lead_status = null;
-- found
select count(*), count(disposition) from leads;
-- expected
values (1, 0);
