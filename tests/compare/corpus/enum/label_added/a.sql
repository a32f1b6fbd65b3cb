create type stage as enum ('new', 'won');
