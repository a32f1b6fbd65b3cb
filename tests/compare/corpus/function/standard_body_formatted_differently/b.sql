create function f(x int) returns int
language sql
BEGIN ATOMIC
  SELECT 1;
  SELECT CASE WHEN (x > 0) THEN x END;
END;
