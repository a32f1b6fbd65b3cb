create aggregate total(int) (sfunc = int4pl, stype = int); create publication p; comment on aggregate total(int) is 'A.'; comment on publication p is 'P.';
