"""Text-to-image retrieval, evaluated on a team's own images as a DVC pipeline."""
