"""What the documentation site is made of beside docs/: pages made by code, and the runner of every example."""
