"""What chance could have done: intervals of means and medians, randomisation tests, families of comparisons, power."""
