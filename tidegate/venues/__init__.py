"""All that is particular to one exchange: its wire format, its hosts, its errors; one package a venue."""
