"""Real pictures, read once and kept as bytes: what is trained on and measured against."""
