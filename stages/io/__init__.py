"""The edges of the pipeline: parameters, tables, images, models, store, console."""
