"""What every subject uses and no result depends on: console, settings, store, locks, parallel work, types of arrays.

Imports nothing of the package.
"""
