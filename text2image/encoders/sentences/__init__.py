"""Models of the package sentence-transformers: text encoders, and cross-encoders that read two texts at once."""
