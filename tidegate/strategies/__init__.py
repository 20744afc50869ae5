"""Numbers in, decisions out, pure: strategies, the ARM/DISARM machine, sizing, and the catalogue of what is ready.

A strategy looks at one closed bar after another and says what it sees (`protocol.Assessment`); it knows no account, no
order and no clock. `arming` turns what it sees into entries, `sizing` turns an entry into a quantity.
"""
