"""What a run is: its folder, its summary, its identity, its checkpoints."""
