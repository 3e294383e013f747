"""Label source ``imagenet``: the class that an ImageNet-1k classifier is confident of."""
