-- Fills the legacy tables with two companies' worth of plausible contacts, the same rows every time: numbers decide, not chance.
-- The demo runs it after legacy/schema, on a database of its own. By hand: psql -c "set demo.contacts = 1000" -f sql/demo/contacts.sql
--
-- What real tables hold is here too: missing names and dates, '' beside NULL, e-mails shared by a household, telephone
-- numbers too long for varchar(20), names beyond ASCII, addresses of several lines, contacts without any lead.

insert into public.workspaces (id, name, created_at) values
    (md5('workspace 1')::uuid, 'Harbour Solar', timestamptz '2018-11-05 09:00+00'),
    (md5('workspace 2')::uuid, 'Küchenhaus Nordlicht', timestamptz '2020-02-17 09:00+00');

insert into public.custom_fields (id, workspace_id, name, field_type, created_at)
select md5(format('field %s of workspace %s', f.n, w.n))::uuid, md5(format('workspace %s', w.n))::uuid, f.name, f.kind,
       timestamptz '2020-03-01 09:00+00'
  from generate_series(1, 2) as w (n),
       (values (1, 'Language', 'text'), (2, 'Household size', 'number'), (3, 'Area, m²', 'number'),
               (4, 'Referred by', 'text'), (5, 'Newsletter', 'boolean')) as f (n, name, kind);

insert into public.contacts (id, workspace_id, firstname, lastname, email, phone_number, st_address, city, state, zip,
                             lead_source, lead_status, appointment_status, created_at, updated_at)
select md5(format('contact %s', i))::uuid,
       md5(format('workspace %s', case when i % 10 < 7 then 1 else 2 end))::uuid,
       case when i % 11 = 3 then null when i % 97 = 5 then '' else names.first[1 + i * 7 % 40] end,
       case when i % 37 = 4 then null else names.last[1 + i * 13 / 5 % 40] end,
       case when i % 9 = 0 then null when i % 101 = 7 then ''
            when i % 10 >= 8 then format('household.%s@example.net', i / 10)  -- two people, one address
            else format('contact%s@example.%s', i, (array['com', 'org', 'net'])[1 + i % 3]) end,
       case when i % 8 = 0 then null
            when i % 53 = 9 then format('+44 (0)20 7946 %s ext. %s, ask for reception', lpad((i % 1000)::text, 4, '0'), i % 100000)
            else format('+1 %s 555 01%s', 201 + i % 700, lpad((i % 100)::text, 2, '0')) end,
       case when i % 13 = 0 then null when i % 61 = 8 then format(E'Flat %s\n%s Station Road', i % 40, 1 + i % 200)
            else format('%s %s', 1 + i % 980, (array['Quay Street', 'Mill Lane', 'Rua do Sol', 'Gartenstraße', 'Rue de l''Étang'])[1 + i % 5]) end,
       case when i % 17 = 0 then null else (array['Portland', 'Málaga', 'Tromsø', 'Köln', 'Łódź', 'St. John''s', 'Montréal'])[1 + i % 7] end,
       case when i % 19 = 0 then null when i % 103 = 6 then '' else (array['OR', 'Andalucía', 'Troms', 'NRW', 'Łódzkie', 'NL', 'QC'])[1 + i % 7] end,
       case when i % 17 = 0 then null else lpad((i * 37 % 99999)::text, 5, '0') end,
       case when lead.none then null when i % 71 = 10 then ''
            else (array['website', 'Website', 'referral', 'trade fair', 'google', 'Google', 'phone', 'walk-in'])[1 + i / 6 % 8] end,
       case when lead.none or i % 41 = 11 then null
            else (array['New', 'Contacted', 'Qualified', 'Proposal sent', 'Won', 'Lost', 'No answer', 'Call back'])[1 + i * 3 / 7 % 8] end,
       case when lead.none or i % 4 > 0 then null else (array['scheduled', 'kept', 'missed'])[1 + i / 4 % 3] end,
       case when i % 23 = 12 then null else dates.added end,
       case when i % 29 = 13 then null else dates.added + interval '1 hour' * (i * 31 % 9000) + interval '1 microsecond' * (i * 7919 % 1000000) end
  from generate_series(1, coalesce(nullif(current_setting('demo.contacts', true), '')::integer, 20000)) as i,
       lateral (select i % 6 = 0) as lead (none),
       lateral (select timestamptz '2020-04-01 08:00+00' + interval '1 minute' * (i::bigint * 127 % 2400000)) as dates (added),
       (select array['Ada', 'José', 'Søren', 'Zoë', 'Łukasz', 'Mary', 'Chloé', 'Björn', 'Ngọc', '美咲',
                     'Ivan', 'Ольга', 'Ελένη', 'Omar', 'ياسمين', 'Grace', 'Tomás', 'Ingrid', 'Anaïs', 'Paul',
                     'Maria', 'D''Arcy', 'Jean-Luc', 'Ruth', 'Kofi', 'Noor', 'Štěpán', 'Emma', 'Noah', 'Aisha',
                     'Juan', 'Wei', 'Sinéad', 'Pedro', 'Hana', 'Leo', 'Mila', 'Åsa', 'Ethan', 'Rosa'],
               array['Lovelace', 'García', 'Kierkegaard', 'Müller', 'Wałęsa', 'Smith', 'Dubois', 'Åkesson', 'Nguyễn', '佐藤',
                     'Petrov', 'Иванова', 'Παπαδοπούλου', 'Haddad', 'حداد', 'Hopper', 'O''Neill', 'Larsen', 'Lefèvre', 'Jones',
                     'van der Berg', 'de la Cruz', 'Picard', 'Cohen', 'Mensah', 'Rahman', 'Dvořák', 'Brown', 'Taylor', 'Khan',
                     'Pérez', 'Zhang', 'Ní Bhriain', 'Silva', 'Suzuki', 'Fischer', 'Kovač', 'Öberg', 'Wilson', 'Rossi']) as names (first, last);

insert into public.contact_custom_fields (contact_id, field_id, value, created_at)
select md5(format('contact %s', i))::uuid, md5(format('field %s of workspace %s', f, case when i % 10 < 7 then 1 else 2 end))::uuid,
       case when (i + f) % 43 = 0 then null when (i + f) % 47 = 0 then ''
            else case f when 1 then (array['English', 'Español', 'Norsk', 'Deutsch', 'Polski', '日本語'])[1 + i % 6]
                        when 2 then (1 + i % 6)::text
                        when 3 then (12 + i * 7 % 180)::text
                        when 4 then format('contact %s; met at the fair, "very interested"', i / 3)
                        else (i % 2 = 0)::text end end,
       case when (i + f) % 31 = 0 then null else timestamptz '2021-01-01 08:00+00' + interval '1 minute' * (i::bigint * 61 % 1800000) end
  from generate_series(1, coalesce(nullif(current_setting('demo.contacts', true), '')::integer, 20000)) as i, generate_series(1, 5) as f
 where (i + f * 3) % 5 < 2;

-- Most belong to a lead. Some contacts without one have an appointment all the same.
insert into public.appointments (contact_id, scheduled_at, apptdate, status, reminder_sent)
select md5(format('contact %s', i))::uuid,
       case when (i + n) % 59 = 0 then null else made.at end,
       made.at + interval '1 day' * (3 + i % 20),
       case when (i + n) % 33 = 0 then null else (array['scheduled', 'kept', 'missed', 'moved'])[1 + (i / 4 + n) % 4] end,
       case when (i + n) % 7 = 0 then null else (i + n) % 2 = 0 end
  from generate_series(1, coalesce(nullif(current_setting('demo.contacts', true), '')::integer, 20000)) as i, generate_series(1, 2) as n,
       lateral (select timestamptz '2022-05-02 09:30+00' + interval '15 minutes' * (i::bigint * 83 % 90000) + interval '40 days' * n) as made (at)
 where (i % 4 = 1 and (n = 1 or i % 3 = 0)) or (i % 30 = 6 and n = 1)
 order by i, n;

analyze public.workspaces, public.contacts, public.custom_fields, public.contact_custom_fields, public.appointments;
