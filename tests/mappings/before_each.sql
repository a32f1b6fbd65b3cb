-- What every case starts from, in both schemas: two workspaces with a custom field each.
insert into workspaces (id, name) values
    ('00000000-0000-0000-0000-0000000000a1', 'Alpha'), ('00000000-0000-0000-0000-0000000000a2', 'Beta');
insert into custom_fields (id, workspace_id, name) values
    ('00000000-0000-0000-0000-0000000000f1', '00000000-0000-0000-0000-0000000000a1', 'colour'),
    ('00000000-0000-0000-0000-0000000000f2', '00000000-0000-0000-0000-0000000000a2', 'size');
