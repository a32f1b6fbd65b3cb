create sequence s increment by -1 maxvalue -1 start -1;
