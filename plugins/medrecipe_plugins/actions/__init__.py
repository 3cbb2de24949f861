"""What recipes bind to events."""
