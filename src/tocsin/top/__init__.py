"""`tocsin top`: what watchers say of their cameras, in the terminal."""
