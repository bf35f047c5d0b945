"""What a person can do: a typed request in, typed steps out. No Gradio here."""
