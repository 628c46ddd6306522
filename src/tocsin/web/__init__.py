"""The centre's web side: the API of watchers and the console of staff."""
