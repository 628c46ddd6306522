"""The watcher: the only process that ever holds an unredacted picture."""
