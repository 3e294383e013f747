"""What every subject uses and no result depends on: the console, settings, the store, locks, parallel work.

Imports nothing of the package.
"""
