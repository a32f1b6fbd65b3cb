create domain d as varchar(20);
