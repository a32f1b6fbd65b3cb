create domain d as int check (value > 0);
