"""What `auth doctor` examines, one module for each group of checks, and how it is told."""
