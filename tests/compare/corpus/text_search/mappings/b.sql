create text search configuration c (copy = simple); alter text search configuration c drop mapping for email;
