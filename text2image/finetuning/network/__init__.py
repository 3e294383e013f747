"""The network that is tuned: its two towers, what they read, which parameters train, and its export."""
