"""Which requests were made before: the same key with another request is refused."""
