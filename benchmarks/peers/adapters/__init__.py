"""Scripts for environments of their own; what is imported of them here needs the standard library alone."""
