create domain d as text not null;
