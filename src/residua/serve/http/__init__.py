"""The door of HTTP: connections, what is let through, bodies, the plain routes, the page."""
