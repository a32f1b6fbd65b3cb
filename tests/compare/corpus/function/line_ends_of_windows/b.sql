create function f() returns int language sql as e'\r\nselect 1;\r\n';
