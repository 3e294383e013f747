"""A report's blocks as one HTML page or as Markdown, with charts as SVG and sheets as small pictures."""
