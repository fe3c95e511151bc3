"""The conditions of rule segments: a typed tree, kept as a document, asked of all customers at once."""
