"""Every adaptation to Lightning's Trainer. Its private names occur nowhere else."""
