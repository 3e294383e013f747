"""Fine-tuning: the training part of a split and a base model become a checkpoint directory like any other.

May import everything up to ``evaluation``. ``run`` goes from the split to the mixed weights, ``loop`` trains,
``checkpoint`` keeps what a run has reached, ``network`` is what is trained.
"""
