create domain d as varchar(10) default 'x' not null check (value <> '');
