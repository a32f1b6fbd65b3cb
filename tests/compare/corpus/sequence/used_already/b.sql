create sequence s; select nextval('s');
