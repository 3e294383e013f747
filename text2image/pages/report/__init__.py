"""What ``python -m text2image.commands.report`` writes: revisions are read, said in blocks, and the blocks written twice."""
