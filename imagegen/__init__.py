"""ImageGen from Zero: every family of image generators, small enough to read and alive in the browser."""

__version__ = "0.1.0"
