"""Fine-tuning: what the stage ``finetune@NAME`` is made of."""
