"""What is made of the program beside its packages."""
