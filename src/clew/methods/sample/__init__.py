"""Methods that draw whole solutions and choose among them."""
