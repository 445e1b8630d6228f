"""The option tables, row by row."""
