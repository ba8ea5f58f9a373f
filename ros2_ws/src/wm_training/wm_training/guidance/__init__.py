"""The world model in the service of other policies: choosing among their proposals, and improving them."""
