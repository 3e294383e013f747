"""The search on a page (``t2i app``) and on the command line (``t2i search``).

``searcher`` ranks the gallery under one model; ``annotations`` is what labels, queries and judgements say of it;
``explanation`` puts both together for each result; ``service`` answers the page, whose parts view.html.jinja writes,
``controls`` takes clicks from, and ``server`` serves behind a ``guard``. Imports all but commands.
"""
