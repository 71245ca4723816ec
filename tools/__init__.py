"""Functions become tools: schemas, validation, running, registry, and the built-in ones."""
