create table Contacts (Id int);
