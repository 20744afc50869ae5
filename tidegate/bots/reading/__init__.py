"""What pages read of bots, and the bots they create: always stopped, because only an engine lets one trade."""
