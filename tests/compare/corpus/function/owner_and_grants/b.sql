create function f(x int) returns int language sql immutable as 'select x + 1';alter function f owner to crm_owner; revoke execute on function f from public; grant execute on function f to crm_app;
