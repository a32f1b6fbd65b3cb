create table "contacts" ("id" int);
