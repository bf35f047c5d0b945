"""One recipe a family and the loop that runs them all."""
