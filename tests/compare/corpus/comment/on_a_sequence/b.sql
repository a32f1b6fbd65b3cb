create sequence s; comment on sequence s is 'S.';
