"""Measures of generated pictures; `evaluate` writes them into the checkpoint's card."""
