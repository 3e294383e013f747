"""What competes to find the right image: systems of several kinds, each a :class:`.scorer.Scorer` once it is built."""
