"""Label source ``caption``: what a Hugging Face image-to-text model says of an image."""
