"""Views to text: one module per format, and the table of formats in `formats`."""
