"""The kill switch in a person's hand: a command to every engine that owns one of the caller's accounts."""
