"""Two ways for a person to judge (``t2i judge``): a page on this machine, and the terminal.

Both show one turn of a session after the other (:mod:`text2image.queries.judging`), which keeps the grades.
"""
