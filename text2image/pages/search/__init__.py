"""The search page (``make app``): what is known of each result, how it is shown, and who may see it."""
