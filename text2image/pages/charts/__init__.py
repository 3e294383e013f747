"""What `dvc plots` draws with: Vega-Lite templates, and the page around them, which needs no network.

DVC's own templates have no intervals and no chance level, and colour by revision; its page loads scripts from a
CDN. ``python -m text2image.pages.charts`` writes both into .dvc, where git does not track them. Imports the theme,
templates and formats.
"""
