"""Asking a service in batches: ``run`` submits and collects, over any number of runs of the stage.

``files`` writes requests and reads results, ``service`` speaks with the service, and ``pending`` remembers what
was submitted and not yet collected.
"""
