"""What a run keeps on disk: its state, checkpoints, record and folder, and the bundle's facts."""
