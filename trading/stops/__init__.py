"""What stops openings by what an account lost or may lose: loss limits and the margin watch."""
