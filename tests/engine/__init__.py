"""What rules do to connections: chances, truths, assumptions, walks."""
