create function f() returns trigger language plpgsql as $$ begin return new; end $$;
