-- Addresses of what extensions brought along.
select d.classid, d.objid from pg_depend as d where d.deptype = 'e'
