"""What the market stage answers over HTTP; one file a noun."""
