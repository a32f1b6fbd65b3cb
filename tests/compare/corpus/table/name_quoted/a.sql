create table "Odd table" ("Odd column" int);
