"""What this machine has, and a job's part of it."""
