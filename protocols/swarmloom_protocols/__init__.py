"""The protocols' algorithms: arrays in, arrays out, usable as a numerical library."""
