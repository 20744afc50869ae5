"""What execution answers over HTTP; one file per noun."""
