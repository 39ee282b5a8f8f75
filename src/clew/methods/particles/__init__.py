"""Methods that keep weighted partial solutions and resample them."""
