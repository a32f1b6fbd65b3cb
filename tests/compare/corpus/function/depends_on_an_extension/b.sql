create function f() returns int language sql as 'select 1'; alter function f() depends on extension plpgsql;
