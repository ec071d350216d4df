"""Compares what each part of the house says of the same messages. `python -m deploy.reconciler` prints the verdict."""
