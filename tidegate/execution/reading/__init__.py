"""What pages read of execution: orders, fills, positions, round trips of the caller's accounts, as last committed."""
