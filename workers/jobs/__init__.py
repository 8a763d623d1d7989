"""Long pieces of work, done in steps."""
