"""open_clip models: which files they consist of, under which licence, how large they are, and loading them."""
