\set n random(1, :contacts)
update public.contacts set unmapped = unmapped + 1 where id = md5(:n::text)::uuid;
