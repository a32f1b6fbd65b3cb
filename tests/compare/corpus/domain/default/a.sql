create domain d as text default 'x';
