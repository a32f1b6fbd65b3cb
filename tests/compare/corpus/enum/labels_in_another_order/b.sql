create type stage as enum ('won', 'new');
