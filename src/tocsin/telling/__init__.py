"""An alarm's story as a file that stands by itself: HTML or PDF."""
