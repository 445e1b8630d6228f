"""What a user can ask: one module per question, named as its command; each returns a result."""
