"""What accounts answer over HTTP; one file per noun."""
