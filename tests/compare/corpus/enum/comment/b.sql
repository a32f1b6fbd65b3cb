create type stage as enum ('new'); comment on type stage is 'Of a lead.';
