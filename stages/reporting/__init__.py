"""What ``python -m stages.report`` writes: revisions are read, said in blocks, and the blocks written twice."""
