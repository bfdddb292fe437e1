"""What is read from the agents of access points and switches: which objects, and what they tell."""
