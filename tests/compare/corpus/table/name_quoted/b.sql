create table "Odd table" ("Odd column" bigint);
