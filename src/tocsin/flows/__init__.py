"""The use cases. They speak to the world only through `tocsin.ports`."""
