create schema crm; create type stage as enum ('new'); create type crm.stage as enum ('new'); create table t (a stage);
