"""What is exchanged with others in formats that are not ours."""
