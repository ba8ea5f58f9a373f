"""The world model for other policies: choosing among their proposals, and improving them."""
