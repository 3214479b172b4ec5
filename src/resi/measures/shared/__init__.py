"""What several measures compute once and share."""
