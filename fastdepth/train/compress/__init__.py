"""What training has to do with compression: distillation and pruning."""
