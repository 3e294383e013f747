"""What it takes to ask a vision model over the network: uploads, limits, retries, budget, batches."""
