"""Sheets of pictures: how a sheet is drawn (``sheet``), and a module for what each kind of sheet shows.

Imports the theme, the collection (to open images) and formats; stages give it rows and the images' places.
"""
