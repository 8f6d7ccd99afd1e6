"""Commands of the command line that are more than a few lines. Each module imports what it works with when it works."""
