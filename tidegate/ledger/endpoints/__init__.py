"""What the ledger answers over HTTP; one file per noun."""
