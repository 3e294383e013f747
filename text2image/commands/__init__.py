"""What people type: a module a command of ``t2i``, each with ``main(argv)``; nothing in the pipeline depends on them.

They import anything but each other's command lines, ``stages`` and ``cli``, and like stages they know where files lie.
"""
