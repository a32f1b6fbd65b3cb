create function f() returns event_trigger language plpgsql as 'begin end'; create event trigger e on ddl_command_end when tag in ('DROP TABLE', 'ALTER TABLE') execute function f();
