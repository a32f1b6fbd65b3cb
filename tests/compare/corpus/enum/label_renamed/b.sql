create type stage as enum ('fresh', 'won'); alter type stage rename value 'fresh' to 'new';
