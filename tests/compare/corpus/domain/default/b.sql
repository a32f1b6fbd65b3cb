create domain d as text default 'y';
