"""The report (``t2i report``): what revisions hold is read, said in blocks, and the blocks are rendered twice.

Imports the evaluation, the theme and formats; of the collection and the models it knows what is in metrics.
"""
