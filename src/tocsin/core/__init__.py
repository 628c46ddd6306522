"""The alarm core: pure values and decisions. No I/O, no clock, no logging."""
