"""The JSON that scripts rely on: one module per document and version, apart from internal classes."""
