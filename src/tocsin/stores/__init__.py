"""Where alarms, pages and pictures are kept."""
