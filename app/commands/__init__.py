"""The console commands `ask` and `knowledge`."""
