"""How a page leaves the house: one transport each, small."""
