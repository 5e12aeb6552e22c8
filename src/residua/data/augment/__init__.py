"""What training does to pictures: in threads crops and operations, on the device the rest."""
