-- A small CRM in the legacy schema, with ids a person can read: workspace …a1, field …f1, contact …c1, appointment 1.

insert into public.workspaces (id, name) values
    ('00000000-0000-0000-0000-0000000000a1', 'Alpha'),
    ('00000000-0000-0000-0000-0000000000a2', 'Beta');

insert into public.custom_fields (id, workspace_id, name) values
    ('00000000-0000-0000-0000-0000000000f1', '00000000-0000-0000-0000-0000000000a1', 'colour'),
    ('00000000-0000-0000-0000-0000000000f2', '00000000-0000-0000-0000-0000000000a1', 'size'),
    ('00000000-0000-0000-0000-0000000000f3', '00000000-0000-0000-0000-0000000000a2', 'weight');

insert into public.contacts (id, workspace_id, firstname, lastname, email, phone_number, st_address, city, state, zip,
                             lead_source, lead_status, appointment_status, created_at, updated_at) values
    -- c1 has everything
    ('00000000-0000-0000-0000-0000000000c1', '00000000-0000-0000-0000-0000000000a1', 'Ada', 'Abel', 'ada@example.com', '+49 228 1', 'Markt 1',
     'Bonn', 'NRW', '53111', 'fair', 'new', 'confirmed', '2024-01-01 10:00:00.123456+00', '2024-02-01 10:00:00+00'),
    -- c2 is a person and no lead
    ('00000000-0000-0000-0000-0000000000c2', '00000000-0000-0000-0000-0000000000a1', 'Ben', 'Bode', 'ben@example.com', null, null,
     'Ulm', null, null, null, null, null, '2024-01-02 10:00:00+00', '2024-02-02 10:00:00+00'),
    -- c3 has a status and no dates
    ('00000000-0000-0000-0000-0000000000c3', '00000000-0000-0000-0000-0000000000a1', 'Cleo', '', null, null, null,
     null, null, null, null, 'lost', null, null, null),
    -- c4 has an appointment and is thereby a lead
    ('00000000-0000-0000-0000-0000000000c4', '00000000-0000-0000-0000-0000000000a1', 'Dora', 'Dahl', 'dora@example.com', null, null,
     'Kiel', null, null, null, null, null, '2024-01-04 10:00:00+00', '2024-02-04 10:00:00+00'),
    -- c5 is another workspace's
    ('00000000-0000-0000-0000-0000000000c5', '00000000-0000-0000-0000-0000000000a2', 'Emil', 'Eich', 'emil@example.com', null, null,
     'Hamm', null, null, 'web', 'won', null, '2024-01-05 10:00:00+00', '2024-02-05 10:00:00+00');

insert into public.contact_custom_fields (contact_id, field_id, value, created_at) values
    ('00000000-0000-0000-0000-0000000000c1', '00000000-0000-0000-0000-0000000000f1', 'red', '2024-01-01 11:00:00+00'),
    ('00000000-0000-0000-0000-0000000000c1', '00000000-0000-0000-0000-0000000000f2', null, null),
    ('00000000-0000-0000-0000-0000000000c5', '00000000-0000-0000-0000-0000000000f3', '5 kg', '2024-01-05 11:00:00+00');

insert into public.appointments (contact_id, scheduled_at, apptdate, status, reminder_sent) values
    ('00000000-0000-0000-0000-0000000000c1', '2024-01-10 08:00:00+00', '2024-03-01 09:00:00+00', 'open', false),
    ('00000000-0000-0000-0000-0000000000c1', '2024-01-11 08:00:00+00', '2024-03-02 09:00:00+00', 'done', true),
    ('00000000-0000-0000-0000-0000000000c4', '2024-01-12 08:00:00+00', null, null, null);
