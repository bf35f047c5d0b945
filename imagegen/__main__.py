"""`python -m imagegen`."""

from imagegen.cli import app

if __name__ == "__main__":
    app(prog_name="python -m imagegen")
