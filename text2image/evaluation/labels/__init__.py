"""How good the label sources are, without any truth to hold them against: sources side by side, suspicious labels.

May import what :mod:`text2image.evaluation` may.
"""
