"""Everything that people look at: sheets of pictures, charts, the report, the search page, the page to judge on.

One ``theme`` holds colours and typeface, and HTML is written by Jinja ``templates``, which escape. Pages read what
the stages wrote, by the paths of :mod:`text2image.artifacts`, and may import all of the library but the commands;
stages that draw import ``sheets`` alone.
"""
