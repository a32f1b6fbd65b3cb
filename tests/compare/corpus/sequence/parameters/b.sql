create sequence s increment 2 minvalue 0 maxvalue 100 start 10 cache 5 cycle;
