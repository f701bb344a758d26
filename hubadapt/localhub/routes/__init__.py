"""The addresses of the Hub, one file per noun; each gives a list `ROUTES`."""
