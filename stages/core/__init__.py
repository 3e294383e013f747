"""Pure functions on arrays and records: no files, no torch, no parameters."""
