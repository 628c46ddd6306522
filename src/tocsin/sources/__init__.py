"""Where pictures come from: one small adapter per kind of camera."""
