create table Contacts (id int);
