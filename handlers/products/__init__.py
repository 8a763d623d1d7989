"""Products, what customers may call and at what price: the rules, without I/O."""
